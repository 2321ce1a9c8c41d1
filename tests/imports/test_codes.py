"""Every code of the template has a file that yields exactly it, at its line and in its column."""

import re
from pathlib import Path

import pytest

from glassfolio.imports.codes import CATALOGUE, REASONS
from glassfolio.imports.problems import problem
from glassfolio.model.holdings import Severity
from tests.imports.build import NAMES, OPTION, SAMPLES, STOCK, places, read, table
from tests.imports.faults import FAULTS, Fault

FILE_CODES = {f"ERR_CSV_{n:03d}" for n in (1, 2, 3, 4, 5, 6, 8, 9, 10, 11)} | {"WARN_CSV_001", "WARN_CSV_002"}
ROW_CODES = {f"ERR_POS_{n:03d}" for n in range(1, 34)} | {"WARN_POS_001", "WARN_POS_002"}
FORM_CODES = {f"ERR_PORT_{n:03d}" for n in range(1, 15)} | {"WARN_PORT_001"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.code} {next(iter(f.changes.values()))[:30]!r}")
def test_a_row_with_one_fault_yields_exactly_its_code_line_and_column(fault: Fault) -> None:
    """Pitfalls 4: an error branch that itself fails, option rows that were not checked, NaN, exponents."""
    holdings = read(table([STOCK, fault.row, {**OPTION, "Quantity": "7"}]))
    assert places(holdings.problems) == [(fault.code, 3, fault.column)]
    is_warning = holdings.problems[0].severity is Severity.WARNING
    assert len(holdings.lots) == (3 if is_warning else 2)


def test_the_catalogue_has_exactly_the_codes_that_can_be_told() -> None:
    assert set(CATALOGUE) == FILE_CODES | ROW_CODES | FORM_CODES


def test_every_row_code_has_a_case() -> None:
    assert {fault.code for fault in FAULTS} | {"ERR_POS_023"} >= ROW_CODES


def test_every_code_and_reason_can_be_told_in_words() -> None:
    words = {
        name: "x"
        for text in [*REASONS.values(), *(e.text for e in CATALOGUE.values())]
        for name in re.findall(r"{(\w+)}", text)
    }
    for code, entry in CATALOGUE.items():
        told = problem(code, line=1, end_line=1, column=None, cell=None, reason=None, **words)
        assert entry.title
        assert told.hint
        assert "{" not in told.detail
        expected = Severity.WARNING if code.startswith("WARN") or code == "ERR_POS_023" else Severity.ERROR
        assert told.severity is expected
    for reason in REASONS:
        told = problem("ERR_POS_005", line=1, end_line=1, column=None, cell=None, reason=reason, **words)
        assert "{" not in told.hint


def test_one_file_can_carry_every_row_code_once_and_in_order() -> None:
    """All at once: nothing stops at the first error."""
    holdings = read((SAMPLES / "template_all_errors.csv").read_bytes())
    codes = [found.code for found in holdings.problems]
    assert codes == [f"ERR_POS_{n:03d}" for n in range(1, 34)]
    assert [found.line for found in holdings.problems] == sorted(
        found.line or 0 for found in holdings.problems
    )
    assert holdings.rows_read == 34


def test_several_faults_of_one_row_are_all_told_from_left_to_right() -> None:
    row = {**STOCK, "Symbol": "", "Quantity": "ten", "Entry Date": "never", "Exit Price Per Share": "-1"}
    assert places(read(table([row])).problems) == [
        ("ERR_POS_001", 2, "Symbol"),
        ("ERR_POS_005", 2, "Quantity"),
        ("ERR_POS_013", 2, "Entry Date"),
        ("ERR_POS_024", 2, "Exit Date"),
        ("ERR_POS_025", 2, "Exit Price Per Share"),
    ]


def test_problems_of_a_row_follow_the_columns_of_its_file() -> None:
    row = {**STOCK, "Symbol": "", "Quantity": "ten", "Entry Date": "never"}
    found = read(table([row], tuple(reversed(NAMES)))).problems
    assert [problem.column for problem in found] == ["Entry Date", "Quantity", "Symbol"]


@pytest.mark.parametrize(
    "row",
    [
        {**STOCK, "Symbol": "A" * 24},
        {**STOCK, "Quantity": "1." + "0" * 254},
        {**STOCK, "Exit Date": "2024-06-28", "Exit Price Per Share": "160"},
        {**STOCK, "Exit Date": "2021-03-15", "Exit Price Per Share": "0"},
        {**STOCK, "Entry Date": "2024-06-28"},
        {**OPTION, "Entry Date": "2024-06-28", "Expiration Date": "2024-06-28"},
        {**OPTION, "Strike Price": "99999.999"},
        {**OPTION, "Underlying Symbol": "ABCDEFGHI"},
    ],
    ids=lambda row: str(list(row.values())[:5]),
)
def test_the_last_legal_value_is_accepted(row: dict[str, str]) -> None:
    assert read(table([row])).problems == ()


def test_an_option_inferred_from_one_filled_column_is_checked_like_a_stated_one() -> None:
    """Pitfalls 4: option fields without a class were not checked."""
    row = {**STOCK, "Strike Price": "-500"}
    assert places(read(table([row])).problems) == [
        ("ERR_POS_019", 2, "Underlying Symbol"),
        ("ERR_POS_027", 2, "Strike Price"),
        ("ERR_POS_021", 2, "Expiration Date"),
        ("ERR_POS_022", 2, "Option Type"),
    ]


def test_an_unknown_class_does_not_add_a_complaint_about_a_fitting_subtype() -> None:
    row = {**STOCK, "Investment Class": "ALTERNATIVE", "Investment Subtype": "CRYPTO"}
    assert places(read(table([row])).problems) == [("ERR_POS_016", 2, "Investment Class")]


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("Quantity", "1E+07", "exponent"),
        ("Quantity", "1,5", "comma"),
        ("Entry Date", "03/04/2021", "ambiguous_date"),
        ("Investment Subtype", "CRYPTO", "class_of_subtype"),
    ],
)
def test_a_fault_with_a_known_cause_names_it(column: str, text: str, reason: str) -> None:
    found = read(table([{**STOCK, column: text}])).problems[0]
    assert found.params["reason"] == reason
    assert found.hint == REASONS[reason].format_map(found.params)


def test_a_date_that_could_be_two_names_both_readings() -> None:
    found = read(table([{**STOCK, "Entry Date": "03/04/2021"}])).problems[0]
    assert "2021-03-04" in found.hint
    assert "2021-04-03" in found.hint


def test_a_contradiction_shows_both_readings() -> None:
    row = {**OPTION, "Symbol": "AAPL270115C00150000", "Strike Price": "151"}
    detail = read(table([row])).problems[0].detail
    assert "150" in detail
    assert "151" in detail


def test_samples_are_all_named_in_the_table_of_samples() -> None:
    from tests.imports.test_samples import EXPECTED

    stored = {
        path.name for path in Path(SAMPLES).glob("*") if path.name.startswith(("template_", "foreign_"))
    }
    assert stored == set(EXPECTED)
