"""Generated requests against a running service, after its own description, by two people. The seed tells all.

Every check that the library has is made of every answer. Ids are one's own, the other's, nobody's or
generated; forms are generated or good, so that each operation is reached in earnest.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from tests.contracts.running import ONE_LOT, Running, form, opened, stored

AnyOperation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[AnyOperation]

PEOPLE = ("alice", "bob")
STATEFUL_SHARE = 0.1
SEQUENCES, STEPS = 5, 10


@dataclass
class Report:
    """What came of many requests. answers: (operation, status) -> how often."""

    seed: int
    cases: int = 0
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def operations(self) -> set[str]:
        """All that were asked."""
        return {operation for operation, _status in self.answers}

    @property
    def never_succeeded(self) -> set[str]:
        """The operations that never answered with success."""
        return self.operations - {name for name, status in self.answers if 200 <= status < 300}

    @property
    def server_errors(self) -> int:
        """Answers that are our fault."""
        return sum(times for (_name, status), times in self.answers.items() if status >= 500)


class Ids:
    """Portfolios and runs of both people; what has been deleted is replaced."""

    def __init__(self, service: Running) -> None:
        self._service = service
        self._of = {person: [self._new(person) for _ in range(2)] for person in PEOPLE}

    def _new(self, person: str) -> dict[str, str]:
        told = opened(self._service.client(person))
        return {"portfolio_id": told["portfolio_id"], "run_id": told["run_id"]}

    def one(self, person: str, name: str, which: int) -> str:
        """An id of a live portfolio of this person, or of its run."""
        mine = self._of[person]
        place = which % len(mine)
        address = f"/api/v1/portfolios/{mine[place]['portfolio_id']}"
        if self._service.client(person).get(address).status_code == 404:
            mine[place] = self._new(person)
        return mine[place][name]

    def under_way(self, person: str) -> str:
        """A run that has just been started."""
        return str(opened(self._service.client(person))["run_id"])

    def expendable(self, person: str) -> str:
        """A portfolio made to be deleted."""
        return stored(self._service.client(person))


def fuzz(service: Running, cases: int, seed: int) -> Report:
    """Ask about `cases` requests, alike for every operation, and a tenth of them in sequences."""
    report, ids = Report(seed), Ids(service)
    schema = schemathesis.openapi.from_url(f"{service.url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    each = max(1, round(cases * (1 - STATEFUL_SHARE) / len(operations)))
    for operation in operations:
        _ask_alone(service, report, ids, operation, each)
    _ask_in_sequence(service, report, schema, cases - report.cases)
    return report


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def _ask_alone(service: Running, report: Report, ids: Ids, operation: AnyOperation, examples: int) -> None:
    modes = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))
    source = st.sampled_from(["mine", "mine", "theirs", "absent", "generated"])

    @hypothesis.seed(report.seed)
    @_settings(examples)
    @given(modes, st.sampled_from(PEOPLE), source, st.integers(0, 1), st.booleans())
    def ask(case: AnyCase, person: str, whose: str, which: int, good: bool) -> None:
        if _is_positive(case, ParameterLocation.PATH):
            _point(case, ids, person, whose, which)
        if good:
            _fill(case)
        _call(service, report, case, person)

    ask()


def _is_positive(case: AnyCase, location: ParameterLocation | None = None) -> bool:
    """Whether the case, or this part of it, was made after the description."""
    if case.meta is None:
        return True
    if location is None:
        return case.meta.generation.mode is GenerationMode.POSITIVE
    component = case.meta.components.get(location)
    return component is None or component.mode is GenerationMode.POSITIVE


def _point(case: AnyCase, ids: Ids, person: str, whose: str, which: int) -> None:
    other = PEOPLE[1 - PEOPLE.index(person)]
    for name in case.path_parameters or {}:
        if whose == "absent":
            case.path_parameters[name] = str(uuid4())
        elif whose == "theirs":
            case.path_parameters[name] = ids.one(other, name, which)
        elif whose == "mine" and case.method == "DELETE":
            case.path_parameters[name] = ids.expendable(person)
        elif whose == "mine" and case.operation.path.endswith("/cancel"):
            case.path_parameters[name] = ids.under_way(person)
        elif whose == "mine":
            case.path_parameters[name] = ids.one(person, name, which)


def _fill(case: AnyCase) -> None:
    """A good form or scope in place of a generated one."""
    if case.media_type == "multipart/form-data" and _is_positive(case):
        case.body = {"file": ONE_LOT, **form()}
    elif _asks_for_a_batch(case) and _is_positive(case):
        case.body = {"dry_run": True}


def _asks_for_a_batch(case: AnyCase) -> bool:
    return case.method == "POST" and case.operation.path.endswith("/batch/runs")


def _call(service: Running, report: Report, case: AnyCase, person: str) -> None:
    # A case that leaves the token out is sent without one.
    signed_in = _is_positive(case, ParameterLocation.HEADER)
    headers = {"Authorization": f"Bearer {service.token(person)}"} if signed_in else {}
    answer = case.call(base_url=service.url, headers=headers, timeout=30)
    _judge(report, case, answer, headers=headers)


def _judge(report: Report, case: AnyCase, answer: Any, headers: dict[str, Any] | None) -> None:
    name = f"{case.method} {case.operation.path}"
    report.cases += 1
    report.answers[name, answer.status_code] += 1
    try:
        case.validate_response(answer, checks=_checks(case, answer), headers=headers)
    except FailureGroup as group:
        report.failures.extend(
            f"{name} {answer.status_code} {type(one).__name__}: {one}"[:600] for one in group.exceptions
        )


def _checks(case: AnyCase, answer: Any) -> list[Any]:
    """All of them; but what a holdings file, its form and a scope must hold is more than a description can
    say, and so is which keys have been used.
    """
    said = case.media_type != "multipart/form-data" and not _asks_for_a_batch(case)
    said = said and "IDEMPOTENCY_KEY_REUSED" not in answer.text
    excluded = set() if said else {"positive_data_acceptance"}
    # In a sequence the token is put back where a case leaves it out; no token at all is tested by itself.
    if not _is_positive(case, ParameterLocation.HEADER):
        excluded = {*excluded, "negative_data_rejection"}
    return [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in excluded]


def _ask_in_sequence(service: Running, report: Report, schema: Any, cases: int) -> None:
    """Uploads whose ids the following requests use, as the links of the description say."""
    people = count()

    class Sequence(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.person = PEOPLE[next(people) % 2]

        def before_call(self, case: AnyCase) -> None:
            _fill(case)

        def get_call_kwargs(self, case: AnyCase) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {service.token(self.person)}"}, "timeout": 30}

        def validate_response(self, response: Any, case: AnyCase, **more: Any) -> None:
            _judge(report, case, response, headers=more.get("headers"))

    until, seeds = report.cases + cases, count(report.seed)
    while report.cases < until:
        run = settings(_settings(SEQUENCES), stateful_step_count=STEPS)
        try:
            hypothesis.seed(next(seeds))(Sequence)
            hypothesis.stateful.run_state_machine_as_test(Sequence, settings=run)
        except FlakyStrategyDefinition:
            # A living service does not answer the same sequence twice alike; what was asked has been judged.
            continue
