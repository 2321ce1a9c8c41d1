"""Codes and bits turn back into the words they stand for."""

from datetime import date

import pytest

from glassfolio.model.results import (
    NONE,
    REASONS,
    WARNINGS,
    Estimate,
    Reason,
    Warning_,
    reason_of,
    warnings_of,
)


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_survives_its_code(reason: Reason) -> None:
    assert reason_of(reason.code) is reason


def test_no_code_means_no_reason() -> None:
    assert reason_of(NONE) is None


def test_warnings_survive_their_bits_in_any_combination() -> None:
    for warning in WARNINGS:
        assert warnings_of(warning.bit) == (warning,)
    assert warnings_of(Warning_.EXTREME.bit | Warning_.PARTIAL_HISTORY.bit) == (
        Warning_.PARTIAL_HISTORY,
        Warning_.EXTREME,
    )
    assert warnings_of(0) == ()


def test_all_bits_fit_into_the_arrays() -> None:
    assert sum(warning.bit for warning in WARNINGS) < 2**15


def test_published_codes_do_not_move() -> None:
    """Codes are stored, so the order of the lists is part of the format."""
    assert [Reason.INSUFFICIENT_HISTORY.code, Reason.NO_PRICE.code, Reason.NOT_APPLICABLE.code] == [0, 2, 15]
    assert [Warning_.PARTIAL_HISTORY.bit, Warning_.ANCHOR_SHIFT.bit] == [1, 2048]


@pytest.mark.parametrize(("value", "reason"), [(None, None), (1.0, Reason.SINGULAR)])
def test_a_value_is_missing_if_and_only_if_there_is_a_reason(
    value: float | None, reason: Reason | None
) -> None:
    with pytest.raises(ValueError, match="with reason"):
        Estimate(value, date(2022, 12, 28), reason=reason)
