"""What a person sends becomes one scope, or is refused; nothing widens it."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.model.scope import (
    CATCH_UP,
    All,
    One,
    Scope,
    ScopeCode,
    ScopeProblem,
    Some,
    read_scope,
    unknown,
)

A, B = str(UUID(int=1, version=4)), str(UUID(int=2, version=4))
FIRST, LAST = date(2022, 1, 3), date(2022, 1, 31)
IDS = st.none() | st.lists(st.sampled_from([A, B]), max_size=3)


@pytest.mark.parametrize(
    ("scoped_only", "force_rerun", "ids", "expected"),
    [
        (True, False, [A], Scope(One(A))),
        (False, True, [A, B], Scope(Some((A, B)), redo=True)),
        (False, True, None, Scope(All(), redo=True)),
        (False, False, None, CATCH_UP),
        (True, True, [A, B], Scope(Some((A, B)), redo=True)),
        (False, False, [A, B], Scope(Some((A, B)))),
        (True, True, [A], Scope(One(A), redo=True)),
        (True, False, [A, B], Scope(Some((A, B)))),
    ],
)
def test_every_row_of_the_matrix(
    scoped_only: bool, force_rerun: bool, ids: list[str] | None, expected: Scope
) -> None:
    """S16a, S16b, S16c, S16d, S16e: by what was sent."""
    assert read_scope(ids, scoped_only=scoped_only, force_rerun=force_rerun) == expected


@pytest.mark.parametrize("force_rerun", [True, False])
@pytest.mark.parametrize(
    ("scoped_only", "ids", "problems"),
    [
        (True, None, [ScopeProblem(ScopeCode.WITHOUT_IDS)]),
        (True, [], [ScopeProblem(ScopeCode.EMPTY_LIST)]),
        (False, [], [ScopeProblem(ScopeCode.EMPTY_LIST)]),
        (False, [A, "x"], [ScopeProblem(ScopeCode.MALFORMED_ID, 1)]),
        (False, ["", A.upper() + "\n"], [ScopeProblem(ScopeCode.MALFORMED_ID, n) for n in (0, 1)]),
    ],
)
def test_what_does_not_say_which_portfolios_is_refused(
    scoped_only: bool, ids: list[str] | None, problems: list[ScopeProblem], force_rerun: bool
) -> None:
    """S16f: an empty list never means all."""
    asked = read_scope(ids, scoped_only=scoped_only, force_rerun=force_rerun)
    assert asked == tuple(problems)


@given(IDS, st.booleans(), st.booleans(), st.none() | st.dates(), st.none() | st.dates())
def test_named_portfolios_are_all_that_is_touched(
    ids: list[str] | None, scoped_only: bool, force_rerun: bool, start: date | None, end: date | None
) -> None:
    """S16: force never widens; all are meant by naming none only."""
    asked = read_scope(ids, scoped_only=scoped_only, force_rerun=force_rerun, start=start, end=end)
    if isinstance(asked, Scope):
        assert asked.named == (None if ids is None else tuple(dict.fromkeys(ids)))
        assert asked.redo == force_rerun
        assert (asked.start, asked.end) == (start, end)
        assert ids != []
    else:
        assert ids == [] or (ids is None and scoped_only) or (start and end and end < start)


def test_a_portfolio_named_twice_is_one() -> None:
    assert read_scope([A, A], scoped_only=True, force_rerun=False) == Scope(One(A))


def test_all_that_is_wrong_is_told_at_once_and_where() -> None:
    asked = read_scope([A, "x", "y"], scoped_only=True, force_rerun=True, start=LAST, end=FIRST)
    assert isinstance(asked, tuple)
    assert [problem.pointer for problem in asked] == ["/portfolio_ids/1", "/portfolio_ids/2", "/end_date"]
    assert all(problem.detail for problem in asked)


def test_an_id_that_nobody_has_is_named_by_its_place() -> None:
    assert unknown(Scope(Some((A, B))), [A]) == (ScopeProblem(ScopeCode.UNKNOWN_ID, 1),)
    assert unknown(Scope(All()), []) == ()


def test_a_scope_is_stored_as_it_was_asked() -> None:
    assert Scope(Some((A, B)), redo=True, start=FIRST).as_record() == {
        "portfolio_ids": [A, B],
        "redo": True,
        "start_date": "2022-01-03",
        "end_date": None,
    }
    assert CATCH_UP.as_record()["portfolio_ids"] is None
