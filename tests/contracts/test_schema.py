"""The bytes of a status answer keep the published schema, and the schema is one that can be broken.

Every status that a test asks a service for is checked the same way (tests/contracts/running.py).
"""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest

from glassfolio.model.run import (
    Eta,
    EtaBasis,
    EtaReason,
    PhaseStatus,
    RunState,
    RunStatus,
    StallReason,
    SymbolOutcome,
)
from glassfolio.progress import fold
from glassfolio.web.app import create_app
from glassfolio.web.status_document import EXAMPLE
from glassfolio.wiring import assemble
from tests.contracts.plain_client import check
from tests.contracts.published import broken, validator_of
from tests.contracts.running import make_settings
from tests.progress.test_fold import NOW, RUN, at_phase, never


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The OpenAPI description of the service."""
    parts = assemble(make_settings(tmp_path_factory.mktemp("described")))
    try:
        return create_app(parts, with_worker=False).openapi()
    finally:
        parts.close()


@pytest.fixture(scope="module")
def validator(description: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return validator_of(description)


def test_both_addresses_of_the_status_publish_it(description: dict[str, Any]) -> None:
    for path in ("/api/v1/onboarding/status/{portfolio_id}", "/api/v1/runs/{run_id}"):
        content = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/StatusDocument"}
    assert description["components"]["schemas"]["StatusDocument"]["example"] == EXAMPLE


def test_the_published_example_keeps_it(validator: jsonschema_rs.Draft202012Validator) -> None:
    assert broken(validator, json.dumps(EXAMPLE).encode()) == []
    check(EXAMPLE)


def test_never_onboarded_keeps_it(validator: jsonschema_rs.Draft202012Validator) -> None:
    assert broken(validator, json.dumps(never()).encode()) == []


@pytest.mark.parametrize("state", RunState)
def test_a_document_with_everything_in_it_keeps_it(
    validator: jsonschema_rs.Draft202012Validator, state: RunState
) -> None:
    run = replace(
        RUN,
        state=state,
        conclusion=None,
        waiting_until=NOW + timedelta(seconds=9),
        stalled_since=NOW,
        stalled_reason=StallReason.PROVIDER_SILENT,
        eta=Eta(30, 20, 50, EtaBasis.PROVIDER_WAIT, 4, NOW, EtaReason.PROVIDER_WAIT),
        completeness=0.97,
        data_as_of=RUN.last_session,
    )
    symbols = (
        SymbolOutcome("ABC", "rate_limited", "rate_limited", 0.1, NOW),
        SymbolOutcome("DEF", "partial", "partial", None),
    )
    body = fold.encode(fold.document(RunStatus(run, at_phase(0, PhaseStatus.RUNNING), (), 0, symbols)))
    queue = {"position": 1, "starts_in": {"low": 3, "high": 9}, "reason": "own_limit"}
    assert broken(validator, fold.splice(body, elapsed_seconds=3, heartbeat_at=NOW, queue=queue)) == []


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda doc: doc.update(surplus=1),
    lambda doc: doc.pop("eta"),
    lambda doc: doc.update(status="done"),
    lambda doc: doc.update(started_at="yesterday"),
    lambda doc: doc.update(poll_after_ms=1999),
    lambda doc: doc["phases"].pop(),
    lambda doc: doc["phases"][0].update(outcome="fine"),
    lambda doc: doc["phases"][0].update(current=-1),
    lambda doc: doc["overall_progress"].update(percent=100.5),
    lambda doc: doc["overall_progress"].update(percent_basis="guess"),
    lambda doc: doc["eta"].update(basis="hope"),
    lambda doc: doc["eta"].pop("as_of"),
    lambda doc: doc.update(activity_log=doc["activity_log"] * 51),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_document_that_is_not_so_is_noticed(
    validator: jsonschema_rs.Draft202012Validator, change: Callable[[dict[str, Any]], object]
) -> None:
    doc = copy.deepcopy(EXAMPLE)
    change(doc)
    assert broken(validator, json.dumps(doc).encode())


def test_every_reference_of_the_description_leads_somewhere(description: dict[str, Any]) -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(description)))
    assert named <= set(description["components"]["schemas"])
    assert "ValidationError" not in " ".join(description["components"]["schemas"])
