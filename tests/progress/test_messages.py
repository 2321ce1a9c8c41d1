"""S17: the catalogue of activity has no free text, and every sentence can be said."""

import string

import pytest

from glassfolio.model.market import FailureKind
from glassfolio.model.messages import (
    FAILURES,
    MESSAGES,
    SYMBOL_REASONS,
    duration,
    level,
    render,
    symbol_effect,
)
from glassfolio.model.run import FailureCode, Level

# All that a sentence may be filled with, by kind: closed words, counts, dates, validated symbols.
ALLOWED: dict[str, str | int] = {
    "phase": "Symbol Metrics",
    "symbols": 30,
    "dates": 254,
    "stored": 26,
    "missing": 4,
    "doing": "Fetched prices for",
    "count": 20,
    "total": 30,
    "date": "2022-12-28",
    "symbol": "XYZ",
    "reason": SYMBOL_REASONS["not_found"],
    "effect": symbol_effect("unknown", "not_found"),
    "factor": "momentum",
    "ok": 29,
    "unit": "symbols",
    "took": "41 s",
    "action": FAILURES[FailureCode.STORAGE_FULL].action,
    "ordinal": "Second",
    "at": "14:03:20",
    "until": "14:03:20",
    "time": "14:03:20",
    "seconds": 60,
    "old": "FB",
    "new": "META",
}


def fields(code: str) -> set[str]:
    return {name for _text, name, _spec, _conv in string.Formatter().parse(MESSAGES[code].sentence) if name}


@pytest.mark.parametrize("code", MESSAGES)
def test_every_code_is_said_with_allowed_parameters_only(code: str) -> None:
    """Never a price, quantity, amount, address, host or text of a provider."""
    assert fields(code) <= set(ALLOWED)
    said = render(code, {name: ALLOWED[name] for name in fields(code)})
    assert said
    assert "{" not in said
    assert level(code) in Level


@pytest.mark.parametrize("code", [code for code in MESSAGES if "{" in MESSAGES[code].sentence])
def test_a_missing_parameter_is_noticed(code: str) -> None:
    with pytest.raises(KeyError):
        render(code, {})


def test_every_kind_of_failure_of_a_symbol_has_its_sentence() -> None:
    assert {kind.value for kind in FailureKind} <= set(SYMBOL_REASONS)
    assert all(reason.endswith(".") for reason in SYMBOL_REASONS.values())


def test_every_failure_of_a_run_has_its_text() -> None:
    assert set(FAILURES) == set(FailureCode)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (41.4, "41 s"),
        (59.6, "1 min"),
        (192, "3 min 12 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("outcome", "reason", "words"),
    [
        ("unknown", "not_found", "left out"),
        ("partial", "partial", "stay empty"),
        ("partial", "network", "stored prices are used"),
    ],
)
def test_a_symbol_that_did_not_succeed_says_what_follows(outcome: str, reason: str, words: str) -> None:
    assert words in symbol_effect(outcome, reason)
