"""Single cells: numbers, decimal marks, symbols, option symbols and dates."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.imports.cells import DecimalMark, Fault, decimal_mark, known, read_number, read_symbol, word
from glassfolio.imports.dates import DateOrder, date_order, read_date
from glassfolio.imports.occ import read_occ
from glassfolio.model.holdings import OptionContract


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100", "100"),
        ("+100", "100"),
        ("  100.50\u00a0", "100.50"),
        ("\u2009100\u202f", "100"),
        (".5", "0.5"),
        ("5.", "5"),
        ("$1,234,567.89", "1234567.89"),
        ("US$5", "5"),
        ("USD 5", "5"),
        ("5 USD", "5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("\u22125", "-5"),
        ("5-", "-5"),
        ("(12)", "-12"),
        ("$(1,855.00)", "-1855.00"),
        ("($12)", "-12"),
        ("1'234", "1234"),
        ("1\u2019234.5", "1234.5"),
        ("100.1000", "100.1000"),
        ("0.123456780000000000000000000000", "0.12345678"),
        ("999999999999999.99999999", "999999999999999.99999999"),
        ("-0", "0"),
    ],
)
def test_a_number_in_any_tolerated_spelling_is_read_exactly(text: str, value: str) -> None:
    """Pitfalls 4: thousands separators, $ and trailing zeros were rejected."""
    read = read_number(text)
    assert isinstance(read, Decimal)
    assert str(read) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not_a_number"),
        ("NaN", "not_a_number"),
        ("-Infinity", "not_a_number"),
        ("1_000", "not_a_number"),
        ("\u0661\u0662", "not_a_number"),
        ("１２", "not_a_number"),
        ("--5", "not_a_number"),
        ("-(5)", "not_a_number"),
        ("+-5", "not_a_number"),
        ("5+", "not_a_number"),
        ("1 000", "not_a_number"),
        ("1'234,5", "comma"),
        ("1,23", "comma"),
        ("0,123", "comma"),
        ("1E+07", "exponent"),
        ("1e999999", "exponent"),
        ("1234567890123456", "digits"),
        ("0.123456789", "places"),
        ("€5", "currency"),
        ("5 CHF", "currency"),
        ("EURO", "not_a_number"),
        ("€ five", "not_a_number"),
    ],
)
def test_what_is_no_number_says_why(text: str, reason: str) -> None:
    fault = read_number(text)
    assert isinstance(fault, Fault)
    assert fault.reason == reason


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1.234,56"], DecimalMark.COMMA),
        (["100", "1,5"], DecimalMark.COMMA),
        (["1234,567"], DecimalMark.COMMA),
        (["1.234.567"], DecimalMark.COMMA),
        (["0,125"], DecimalMark.COMMA),
        (["1.5"], DecimalMark.POINT),
        (["1,234.5"], DecimalMark.POINT),
        (["1.234", "1,234", "100", "1'234"], DecimalMark.UNPROVED),
        (["1.5", "1,5"], DecimalMark.UNPROVED),
        (["words", ""], DecimalMark.UNPROVED),
    ],
)
def test_a_file_proves_its_decimal_mark_or_does_not(cells: list[str], mark: DecimalMark) -> None:
    assert decimal_mark(cells) is mark


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("1.234", DecimalMark.COMMA, Decimal(1234)),
        ("1.234,5", DecimalMark.COMMA, Decimal("1234.5")),
        ("-1,25", DecimalMark.COMMA, Decimal("-1.25")),
        (",5", DecimalMark.COMMA, Decimal("0.5")),
        ("1,234", DecimalMark.POINT, Decimal(1234)),
        ("100", DecimalMark.UNPROVED, Decimal(100)),
        ("1'234", DecimalMark.UNPROVED, Decimal(1234)),
        ("1,5", DecimalMark.UNPROVED, Decimal("1.5")),
    ],
)
def test_a_number_is_read_with_the_mark_of_its_file(text: str, mark: DecimalMark, value: Decimal) -> None:
    assert read_number(text, mark) == value


@pytest.mark.parametrize("text", ["1.234", "1,234"])
def test_a_number_that_fits_both_marks_is_never_guessed(text: str) -> None:
    fault = read_number(text, DecimalMark.UNPROVED)
    assert isinstance(fault, Fault)
    assert fault.reason == "ambiguous_number"
    assert {fault.params["first"], fault.params["second"]} == {"1234", "1.234"}


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_a_fault_and_never_an_exception(text: str) -> None:
    for mark in DecimalMark:
        read = read_number(text, mark)
        assert isinstance(read, Fault) or read.is_finite()


@given(st.decimals(-(10**14), 10**14, places=8))
def test_a_decimal_with_up_to_8_places_is_read_bit_for_bit(value: Decimal) -> None:
    """P4."""
    assert read_number(f"{value:f}") == value
    assert read_number(f"{value:,f}") == value
    assert read_number(f"{value:f}00000") == value


@given(st.integers(0, 10**14), st.integers(1, 9))
def test_nine_decimals_are_refused(whole: int, last: int) -> None:
    """P4."""
    fault = read_number(f"{whole}.12345678{last}")
    assert isinstance(fault, Fault)
    assert fault.reason == "places"


@pytest.mark.parametrize("text", ["", " ", "-", "--", "—", "n/a", "N/A", "null", " NULL "])
def test_words_for_unknown_say_nothing(text: str) -> None:
    assert known(text) == ""


@pytest.mark.parametrize("text", ["0", "NA", "none", "x"])
def test_zero_and_tickers_are_not_unknown(text: str) -> None:
    assert known(text) == text


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("aapl", "AAPL"),
        (" AAPL\t", "AAPL"),
        ("BRK/B", "BRK-B"),
        ("BRK B", "BRK-B"),
        ("BRK.B", "BRK.B"),
        ("VOD.L", "VOD.L"),
        ("EUR/USD", "EUR/USD"),
        ("CASH_USD", "CASH_USD"),
        ("0700.HK", "0700.HK"),
        ("A" * 24, "A" * 24),
    ],
)
def test_a_ticker_is_capitalised_and_its_class_letter_hyphenated(text: str, symbol: str) -> None:
    assert read_symbol(text, 24) == symbol


def test_a_foreign_letter_is_named_by_its_code_point() -> None:
    fault = read_symbol("АAPL", 24)
    assert isinstance(fault, Fault)
    assert "U+0410" in str(fault.params["characters"])


def test_letters_that_become_latin_when_capitalised_stay_foreign() -> None:
    for text in ("ıbm", "ſpy", "ß"):
        assert isinstance(read_symbol(text, 24), Fault)


@pytest.mark.parametrize("text", ["Mutual Fund", "mutual-fund", " MUTUAL_FUND "])
def test_fixed_words_bear_spaces_hyphens_and_small_letters(text: str) -> None:
    assert word(text) == "MUTUAL_FUND"


@pytest.mark.parametrize("text", ["AAPL240119C00150000", "AAPL  240119C00150000", "aapl240119c00150000"])
def test_compact_and_padded_option_symbols_are_the_same_contract(text: str) -> None:
    contract = read_occ(text)
    assert contract == OptionContract("AAPL", date(2024, 1, 19), "C", Decimal(150))
    assert contract.symbol == "AAPL240119C00150000"


@pytest.mark.parametrize(
    "text", ["AAPL", "AAPL240119X00150000", "AAPL24011C00150000", "TOOLONGX240119C00150000", ""]
)
def test_other_symbols_are_no_option_symbols(text: str) -> None:
    assert read_occ(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AAPL1240119C00150000", "root"),
        ("AAPL240230C00150000", "expiry"),
        ("AAPL240119C00000000", "strike"),
    ],
)
def test_an_option_symbol_we_cannot_value_says_why(text: str, reason: str) -> None:
    fault = read_occ(text)
    assert isinstance(fault, Fault)
    assert fault.reason == reason


@pytest.mark.parametrize("text", ["2021-03-15", "2021/03/15", "20210315", " 2021-03-15 "])
@pytest.mark.parametrize("order", list(DateOrder))
def test_a_date_with_its_year_first_is_always_clear(text: str, order: DateOrder) -> None:
    assert read_date(text, order) == date(2021, 3, 15)


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["1/2/2024", "1/13/2024"], DateOrder.MONTH_FIRST),
        (["1.2.2024", "13.1.2024"], DateOrder.DAY_FIRST),
        (["1-2-2024", "2024-01-13"], DateOrder.UNPROVED),
        (["13/1/2024", "1/13/2024"], DateOrder.MIXED),
        (["99/99/2024", "1/13/2024", "never"], DateOrder.MONTH_FIRST),
        ([], DateOrder.UNPROVED),
    ],
)
def test_a_column_tells_whether_its_dates_begin_with_the_month(cells: list[str], order: DateOrder) -> None:
    assert date_order(cells) is order


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("3/4/2024", DateOrder.MONTH_FIRST, date(2024, 3, 4)),
        ("03.04.2024", DateOrder.DAY_FIRST, date(2024, 4, 3)),
        ("5/5/2024", DateOrder.UNPROVED, date(2024, 5, 5)),
        ("3/4/2024", DateOrder.UNPROVED, "ambiguous_date"),
        ("13/4/2024", DateOrder.MIXED, "mixed_dates"),
        ("3-4/2024", DateOrder.MONTH_FIRST, "not_a_date"),
        ("3/4/24", DateOrder.MONTH_FIRST, "not_a_date"),
        ("2024-1-5", DateOrder.MONTH_FIRST, "not_a_date"),
        ("2024-02-30", DateOrder.MONTH_FIRST, "not_a_date"),
        ("0000-01-01", DateOrder.MONTH_FIRST, "not_a_date"),
        ("٢٠٢٤-٠١-٠٥", DateOrder.MONTH_FIRST, "not_a_date"),
    ],
)
def test_a_date_is_read_in_the_order_of_its_column(text: str, order: DateOrder, expected: date | str) -> None:
    read = read_date(text, order)
    assert (read.reason if isinstance(read, Fault) else read) == expected
