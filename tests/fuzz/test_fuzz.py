"""B7, B9: whatever is sent is answered with what was promised; the long forms are `make fuzz`."""

from dataclasses import replace
from decimal import Decimal

import pytest

from glassfolio.model.holdings import InvestmentClass, Lot, Problem, Severity
from tests.contracts.running import make_settings, running
from tests.fuzz import files, requests

SEED = 20260109
# They need a file larger than the generator makes.
LARGE = {"ERR_CSV_001", "ERR_CSV_008"}


@pytest.mark.slow
def test_a_hundred_thousand_files_give_lots_or_typed_problems_and_nothing_else() -> None:
    report = files.fuzz(100_000, SEED)
    assert report.escapes == []
    assert report.files == 100_000
    assert report.growth <= 20
    # The generator reaches deep: whole files are accepted, and every code is told.
    assert report.accepted > 5_000
    assert report.never_told == LARGE


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
def test_a_thousand_requests_of_two_people_are_answered_as_described(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running(make_settings(tmp_path_factory.mktemp("fuzz"), admins="alice,bob")) as service:
        report = requests.fuzz(service, 1000, SEED)
    assert report.failures == []
    assert report.server_errors == 0
    assert report.never_succeeded == set()
    assert report.cases >= 950
    assert len(report.operations) >= 19


GOOD = Lot(0, 2, "AAPL", Decimal(1), Decimal(1), None, InvestmentClass.PUBLIC)


@pytest.mark.parametrize(
    "lot",
    [
        replace(GOOD, quantity=Decimal("NaN")),
        replace(GOOD, entry_price=Decimal("Infinity")),
        replace(GOOD, quantity=Decimal("1e999999")),
        replace(GOOD, quantity=Decimal("0.123456789")),
        replace(GOOD, quantity=Decimal(0)),
        replace(GOOD, symbol="АAPL"),
        replace(GOOD, symbol="A" * 41),
    ],
    ids=str,
)
def test_the_check_of_a_lot_sees_what_must_not_be(lot: Lot) -> None:
    files.check_lot(GOOD)
    with pytest.raises(AssertionError):
        files.check_lot(lot)


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "ERR_NEW"},
        {"severity": Severity.WARNING},
        {"value": "\u202e"},
        {"value": "x" * 65},
        {"hint": ""},
    ],
    ids=str,
)
def test_the_check_of_a_problem_sees_what_must_not_be(changes: dict[str, object]) -> None:
    found = Problem("ERR_POS_001", Severity.ERROR, "text", "hint")
    files.check_problem(found)
    with pytest.raises(AssertionError):
        files.check_problem(replace(found, **changes))  # type: ignore[arg-type]
