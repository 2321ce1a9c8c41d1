"""The stored sample files, one per rule: how many lots each gives and what is told about it."""

from decimal import Decimal

import pytest

from tests.imports.build import SAMPLES, places, read

Place = tuple[str, int | None, str | None]
QUANTITY, PRICE = "Quantity", "Entry Price Per Share"
ROW_CODES: list[Place] = []

EXPECTED: dict[str, tuple[int, list[Place]]] = {
    "foreign_bank_statement.csv": (0, [("ERR_CSV_005", None, None)]),
    "foreign_form_1099.csv": (0, [("ERR_CSV_005", None, None)]),
    "foreign_other_broker.csv": (0, [("ERR_CSV_005", None, None)]),
    "foreign_page_named_table.xls": (0, [("ERR_CSV_002", None, None)]),
    "foreign_watch_list.csv": (0, [("ERR_CSV_005", None, None)]),
    "template_bom.csv": (2, []),
    "template_comments.csv": (1, [("ERR_POS_005", 8, QUANTITY)]),
    "template_cp1252.csv": (2, [("WARN_CSV_002", 1, None)]),
    "template_crlf.csv": (2, []),
    "template_duplicate_header.csv": (1, [("ERR_CSV_010", 1, QUANTITY)]),
    "template_empty.csv": (0, [("ERR_CSV_003", None, None)]),
    "template_exit_future.csv": (0, [("ERR_POS_026", 2, "Exit Date")]),
    "template_exits.csv": (3, []),
    "template_exponent.csv": (0, [("ERR_POS_005", 2, QUANTITY), ("ERR_POS_009", 3, PRICE)]),
    "template_extra_columns.csv": (2, [("WARN_CSV_001", 1, None)]),
    "template_full.csv": (8, []),
    "template_header_only.csv": (0, [("ERR_CSV_003", 1, None)]),
    "template_homoglyph.csv": (0, [("ERR_POS_003", line, "Symbol") for line in range(2, 8)]),
    "template_minimal.csv": (2, []),
    "template_missing_price_column.csv": (
        0,
        [("ERR_CSV_004", 1, PRICE), ("WARN_CSV_001", 1, None), ("ERR_POS_006", 3, QUANTITY)],
    ),
    "template_nan_inf.csv": (
        0,
        [
            ("ERR_POS_005", 2, QUANTITY),
            ("ERR_POS_005", 3, QUANTITY),
            ("ERR_POS_009", 4, PRICE),
            ("ERR_POS_009", 5, PRICE),
        ],
    ),
    "template_nine_decimals.csv": (1, [("ERR_POS_007", 2, QUANTITY), ("ERR_POS_011", 3, PRICE)]),
    "template_occ_symbol.csv": (3, []),
    "template_option_columns.csv": (4, []),
    "template_quoted_newline.csv": (
        1,
        [("WARN_CSV_001", 1, None), ("ERR_POS_005", 5, QUANTITY), ("ERR_POS_006", 7, QUANTITY)],
    ),
    "template_same_day_lots.csv": (3, []),
    "template_semicolon_decimal_comma.csv": (3, []),
    "template_spread_two_legs.csv": (2, []),
    "template_tab.txt": (2, []),
    "template_thousands_unquoted.csv": (1, [("ERR_CSV_011", 3, None)]),
    "template_twins.csv": (3, [("ERR_POS_023", 4, None)]),
    "template_utf16be.csv": (2, [("WARN_CSV_002", None, None)]),
    "template_utf16le.csv": (2, [("WARN_CSV_002", None, None)]),
}
EXPECTED["template_all_errors.csv"] = (2, ROW_CODES)


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"template_all_errors.csv"}))
def test_each_sample_gives_its_lots_and_its_problems(name: str) -> None:
    holdings = read((SAMPLES / name).read_bytes(), filename=name)
    lots, problems = EXPECTED[name]
    assert places(holdings.problems) == problems
    assert len(holdings.lots) == lots


@pytest.mark.parametrize(
    "name", ["bom.csv", "crlf.csv", "utf16le.csv", "utf16be.csv", "cp1252.csv", "tab.txt"]
)
def test_the_same_holdings_in_another_encoding_or_layout_read_the_same(name: str) -> None:
    """Pitfalls 4: byte order marks, tabs and other encodings were refused."""
    plain = read((SAMPLES / "template_minimal.csv").read_bytes())
    other = read((SAMPLES / f"template_{name}").read_bytes())
    assert [(lot.symbol, lot.quantity, lot.entry_price) for lot in other.lots] == [
        (lot.symbol, lot.quantity, lot.entry_price) for lot in plain.lots
    ]


def test_a_decimal_comma_proved_by_the_file_is_read() -> None:
    holdings = read((SAMPLES / "template_semicolon_decimal_comma.csv").read_bytes())
    assert [(lot.quantity, lot.entry_price) for lot in holdings.lots] == [
        (Decimal(1000), Decimal("150.25")),
        (Decimal("2.5"), Decimal("1231.5")),
        (Decimal("1234.5"), Decimal("201.375")),
    ]


def test_a_row_with_quoted_newlines_knows_its_first_and_last_line_and_keeps_its_text() -> None:
    """Pitfalls 4: quoted newlines were split, and lines counted after comments were removed."""
    holdings = read((SAMPLES / "template_quoted_newline.csv").read_bytes())
    broken = holdings.problems[1]
    assert (broken.line, broken.end_line) == (5, 6)
    assert holdings.lots[0].raw == '"AAPL",100,150.25,2021-03-15,"first\nsecond\n# not a comment"'


def test_two_lots_of_one_symbol_on_one_day_are_two_lots() -> None:
    """Pitfalls 4: the second lot of a day was rejected."""
    holdings = read((SAMPLES / "template_same_day_lots.csv").read_bytes())
    assert [lot.quantity for lot in holdings.lots] == [100, 60, -20]
    assert [lot.ordinal for lot in holdings.lots] == [0, 1, 2]


def test_both_legs_of_a_spread_are_kept_as_different_contracts() -> None:
    holdings = read((SAMPLES / "template_spread_two_legs.csv").read_bytes())
    assert [lot.symbol for lot in holdings.lots] == ["AAPL270115C00150000", "AAPL270115C00170000"]
    assert [lot.quantity for lot in holdings.lots] == [1, -1]


def test_a_header_only_file_is_an_error_and_no_empty_portfolio() -> None:
    """ERR_CSV_003 was: a header-only file made an empty portfolio."""
    holdings = read((SAMPLES / "template_header_only.csv").read_bytes())
    assert holdings.errors
    assert holdings.rows_read == 0


def test_a_missing_column_is_named_with_the_nearest_unused_name() -> None:
    """ERR_CSV_004 was: a crash that the owner saw as 006 without a name."""
    found = read((SAMPLES / "template_missing_price_column.csv").read_bytes()).problems[0]
    assert found.params["missing"] == PRICE
    assert found.params["nearest"] == "Price"


def test_unknown_columns_are_ignored_and_named() -> None:
    found = read((SAMPLES / "template_extra_columns.csv").read_bytes()).problems[0]
    assert found.params["columns"] == ("Strategy", "Account")


def test_an_option_is_never_its_underlying() -> None:
    holdings = read((SAMPLES / "template_option_columns.csv").read_bytes())
    assert [lot.symbol for lot in holdings.lots] == [
        "AAPL270115C00150000",
        "AAPL270115P00150000",
        "AAPL270115C00150000",
        "AAPL230616P00150000",
    ]
    assert {lot.investment_class.value for lot in holdings.lots} == {"OPTIONS"}
    assert [lot.subtype for lot in holdings.lots] == ["CALL", "PUT", "CALL", "PUT"]
