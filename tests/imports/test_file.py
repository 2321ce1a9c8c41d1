"""The file around the rows: size, kind, encoding, delimiter, header, limits, comments and lines."""

import gzip
import io
import zipfile

import pytest

from glassfolio.imports.rows import BrokenRow, Row, read_rows
from glassfolio.imports.template_columns import template_csv
from glassfolio.imports.text import MAX_BYTES
from tests.imports.build import NAMES, OPTION, STOCK, places, read, table

HEAD = "Symbol,Quantity,Entry Price Per Share,Entry Date"
GOOD = "AAPL,100,150.25,2021-03-15"


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("xl/workbook.xml", "<workbook/>")
    return out.getvalue()


def lines(*texts: str) -> bytes:
    return ("\n".join(texts) + "\n").encode()


def test_a_file_over_ten_mebibytes_is_refused_and_one_of_that_size_is_not() -> None:
    """ERR_CSV_001."""
    rest = MAX_BYTES - len(lines(HEAD, GOOD)) - 2
    full = lines(HEAD, GOOD, "#" + "x" * rest)
    assert len(full) == MAX_BYTES
    assert read(full).problems == ()
    assert places(read(full + b"\n").problems) == [("ERR_CSV_001", None, None)]


@pytest.mark.parametrize(
    "data",
    [
        archive(),
        gzip.compress(lines(HEAD, GOOD)),
        b"%PDF-1.7\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest",
        b"<!DOCTYPE html>",
    ],
    ids=["workbook", "gzip", "pdf", "old workbook", "page"],
)
def test_other_kinds_of_files_are_refused_by_their_leading_bytes(data: bytes) -> None:
    """ERR_CSV_002: a spreadsheet renamed to .csv, PDF, zip."""
    assert places(read(data, filename="holdings.csv").problems) == [("ERR_CSV_002", None, None)]


@pytest.mark.parametrize("name", ["a.csv", "a.TXT", "a.tsv", "a.csv.xls", "a.xls", "a.dat", "", "noname"])
def test_a_name_never_refuses_what_reads_as_holdings(name: str) -> None:
    """ERR_CSV_002 was: any name without .csv was refused."""
    assert read(lines(HEAD, GOOD), filename=name).problems == ()


@pytest.mark.parametrize(
    ("name", "code"),
    [("a.csv", "ERR_CSV_005"), ("", "ERR_CSV_005"), ("a.csv.xls", "ERR_CSV_005"), ("a.xls", "ERR_CSV_002")],
)
def test_a_name_is_a_hint_where_no_header_is_found(name: str, code: str) -> None:
    assert places(read(b"some,other,table\n1,2,3\n", filename=name).problems) == [(code, None, None)]


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b"\n\n", b"# a\n#b\r", b"  \t \n", b",,,\n,,,\n", b"\xff\xfe"]
)
def test_a_file_without_any_text_has_no_data(data: bytes) -> None:
    """ERR_CSV_003."""
    assert [found.code for found in read(data).errors] == ["ERR_CSV_003"]


def test_every_missing_column_is_told() -> None:
    """ERR_CSV_004: two of our names that are half of the line make a header."""
    found = read(lines("Symbol,Quantity,Price,Date", "AAPL,1,2,3")).problems
    assert places(found)[:2] == [
        ("ERR_CSV_004", 1, "Entry Price Per Share"),
        ("ERR_CSV_004", 1, "Entry Date"),
    ]
    assert [p.params["nearest"] for p in found[:2]] == ["Price", "Date"]


def test_two_of_our_names_among_many_others_are_no_header_of_ours() -> None:
    """ERR_CSV_005."""
    data = lines("Symbol,Quantity,Last,Change,Value", "AAPL,1,2,3,4")
    assert places(read(data).problems) == [("ERR_CSV_005", None, None)]


def test_a_header_may_stand_on_line_40_and_not_later() -> None:
    """ERR_CSV_005."""
    assert read(lines(*["a title"] * 39, HEAD, GOOD)).problems == ()
    assert [p.code for p in read(lines(*["a title"] * 40, HEAD, GOOD)).problems] == ["ERR_CSV_005"]


def test_a_header_inside_a_comment_is_no_header() -> None:
    assert [p.code for p in read(lines("#" + HEAD, GOOD)).problems] == ["ERR_CSV_005"]


@pytest.mark.parametrize(
    ("data", "reason", "line", "offset"),
    [
        (lines(HEAD, GOOD) + b"\x81\n", "undecodable", 3, 76),
        (lines(HEAD) + b"AA\x00PL,1", "nul_byte", 2, 51),
        (("\ufeff" + HEAD + "\r\nAA\0PL").encode("utf-16-le"), "nul_byte", 2, 106),
        (b"\xff\xfeA", "undecodable", 1, 2),
        (b"\xef\xbb\xbf" + lines(HEAD) + b"\xff", "undecodable", 2, 52),
        (lines(HEAD).decode().encode("utf-16-le"), "nul_byte", 1, 1),
    ],
)
def test_bytes_that_are_no_text_are_told_with_line_and_offset(
    data: bytes, reason: str, line: int, offset: int
) -> None:
    """ERR_CSV_006."""
    (found,) = read(data).problems
    assert (found.code, found.params["reason"], found.line, found.params["offset"]) == (
        "ERR_CSV_006",
        reason,
        line,
        offset,
    )


def test_a_quote_that_never_closes_is_told_where_it_opens_after_the_faults_before_it() -> None:
    """ERR_CSV_006."""
    found = read(lines(HEAD, "MSFT,ten,1,2021-03-15", '"AAPL,100,150.25,2021-03-15', GOOD, GOOD)).problems
    assert places(found) == [("ERR_POS_005", 2, "Quantity"), ("ERR_CSV_006", 3, None)]
    assert (found[1].params["reason"], found[1].end_line) == ("unclosed_quote", 5)


def test_a_quote_that_never_closes_is_told_in_a_long_file_too() -> None:
    found = read(lines(HEAD, '"AAPL,100', *[GOOD] * 4900)).problems
    assert [(p.code, p.line, p.params["reason"]) for p in found] == [("ERR_CSV_006", 2, "unclosed_quote")]


def test_reading_goes_on_after_a_misplaced_quote() -> None:
    found = read(lines(HEAD, '"AA"PL,100,150.25,2021-03-15', "MSFT,ten,1,2021-03-15")).problems
    assert places(found) == [("ERR_CSV_006", 2, None), ("ERR_POS_005", 3, "Quantity")]


def test_an_unclosed_quote_before_the_header_is_told_as_such() -> None:
    (found,) = read(lines('"title', HEAD, GOOD)).problems
    assert (found.code, found.line, found.params["reason"]) == ("ERR_CSV_006", 1, "unclosed_quote")


@pytest.mark.parametrize("length", [4097, 200_000])
def test_a_cell_over_4096_characters_is_told(length: int) -> None:
    """ERR_CSV_006."""
    (found,) = read(lines(HEAD, "A" * length + ",100,150.25,2021-03-15")).problems
    assert (found.code, found.line, found.params["reason"]) == ("ERR_CSV_006", 2, "cell_over_4096")


def test_an_unused_cell_may_have_4096_characters() -> None:
    found = read(lines(HEAD + ",Notes", GOOD + "," + "x" * 4096)).problems
    assert places(found) == [("WARN_CSV_001", 1, None)]


def test_5000_rows_are_read_and_the_one_after_them_is_told() -> None:
    """ERR_CSV_008."""
    rows = [f"S{n},1,1,2021-03-15" for n in range(5001)]
    assert read(lines(HEAD, *rows[:5000])).problems == ()
    over = read(lines(HEAD, *rows))
    assert places(over.problems) == [("ERR_CSV_008", 5002, None)]
    assert over.rows_read == 5000


def test_256_columns_are_read_and_257_are_not() -> None:
    """ERR_CSV_009."""
    wide = [*NAMES, *(f"c{n}" for n in range(245))]
    assert places(read(table([STOCK], wide[:256])).problems) == [("WARN_CSV_001", 1, None)]
    assert places(read(table([STOCK], wide)).problems) == [("ERR_CSV_009", 1, None)]


def test_two_columns_of_one_name_are_an_error_and_the_first_is_read() -> None:
    """ERR_CSV_010: readers that let the last win hide this."""
    holdings = read(lines(HEAD + ", SYMBOL ", GOOD + ",MSFT"))
    assert places(holdings.problems) == [("ERR_CSV_010", 1, "Symbol")]
    assert holdings.problems[0].params["positions"] == (1, 5)
    assert [lot.symbol for lot in holdings.lots] == ["AAPL"]


def test_text_beyond_the_header_is_one_error_and_shifted_cells_are_not_judged() -> None:
    """ERR_CSV_011."""
    (found,) = read(lines(HEAD, "AAPL,1,000,150.25,2021-03-15")).problems
    assert (found.code, found.line, found.value, found.params["position"]) == (
        "ERR_CSV_011",
        2,
        "2021-03-15",
        5,
    )


@pytest.mark.parametrize("head", [HEAD, HEAD + ",", HEAD + ",,,"])
@pytest.mark.parametrize("row", [GOOD, GOOD + ",", GOOD + ",,,,,"])
def test_trailing_empty_cells_are_fine(head: str, row: str) -> None:
    assert read(lines(head, row)).problems == ()


def test_a_column_without_a_name_in_front_is_ignored_and_named_by_its_place() -> None:
    (found,) = read(lines("," + HEAD, "0," + GOOD)).problems
    assert (found.code, found.params["columns"]) == ("WARN_CSV_001", ("column 1 (no name)",))


@pytest.mark.parametrize(
    "head",
    [
        "symbol,QUANTITY, Entry  Price Per Share ,entry date",
        "\u00a0Symbol,Ｑuantity,Entry Price\u00a0Per Share,Entry Date",
    ],
)
def test_column_names_are_compared_without_case_spaces_and_width(head: str) -> None:
    assert read(lines(head, GOOD)).problems == ()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_comments_and_blank_lines_are_skipped_and_counted(newline: str) -> None:
    """Pitfalls 4: line numbers were counted after comments were removed."""
    text = newline.join(["# note", "", HEAD, "  ", '# an open " quote', "AAPL,ten,1,2021-03-15", ",,,"])
    assert places(read(text.encode()).problems) == [("ERR_POS_005", 6, "Quantity")]


def test_characters_that_only_look_like_newlines_do_not_count_as_lines() -> None:
    text = "# a\u2028b\x0bc\x85d\x0ce\n" + HEAD + "\nAAPL,ten,1,2021-03-15\n"
    assert places(read(text.encode()).problems) == [("ERR_POS_005", 3, "Quantity")]


def test_rows_know_their_lines_and_keep_their_text() -> None:
    rows = list(read_rows('a,"b\r\nc"\r\n\r\n#x\r\nd,e\r\n"f"g\r\nh', ","))
    assert rows == [
        Row(1, 2, ["a", "b\r\nc"], 'a,"b\r\nc"'),
        Row(5, 5, ["d", "e"], "d,e"),
        BrokenRow(6, 6, "unclosed_quote"),
        Row(7, 7, ["h"], "h"),
    ]


def test_a_semicolon_file_that_does_not_prove_its_decimals_refuses_what_fits_both() -> None:
    data = lines(HEAD.replace(",", ";"), "AAPL;1.000;150;2021-03-15", "MSFT;5;1,250;2021-03-16")
    found = read(data).problems
    assert places(found) == [("ERR_POS_005", 2, "Quantity"), ("ERR_POS_009", 3, "Entry Price Per Share")]
    assert {p.params["reason"] for p in found} == {"ambiguous_number"}


def test_a_decimal_point_in_a_semicolon_file_makes_its_commas_thousands() -> None:
    data = lines(HEAD.replace(",", ";"), "AAPL;1,000;150.5;2021-03-15")
    assert [lot.quantity for lot in read(data).lots] == [1000]


def test_a_row_with_text_beyond_the_header_proves_nothing() -> None:
    data = lines(HEAD.replace(",", ";"), "AAPL;1.000;150;2021-03-15", "MSFT;1,5;150;2021-03-16;more")
    found = read(data).problems
    assert places(found) == [("ERR_POS_005", 2, "Quantity"), ("ERR_CSV_011", 3, None)]


def test_date_orders_are_proved_for_each_column_by_itself() -> None:
    names = (*NAMES[:4], "Exit Date", "Exit Price Per Share")
    exits = {"Exit Price Per Share": "1"}
    rows = [
        {**STOCK, **exits, "Entry Date": "3/15/2021", "Exit Date": "4/5/2022"},
        {**STOCK, **exits, "Symbol": "MSFT", "Entry Date": "3/4/2021", "Exit Date": "6/6/2022"},
    ]
    assert places(read(table(rows, names)).problems) == [("ERR_POS_026", 2, "Exit Date")]


def test_the_class_is_inferred_before_anything_is_checked() -> None:
    rows = [STOCK, {**STOCK, "Symbol": "cash_usd"}, {**OPTION, "Investment Class": ""}]
    assert [(lot.investment_class.value, lot.subtype) for lot in read(table(rows)).lots] == [
        ("PUBLIC", None),
        ("PRIVATE", "CASH"),
        ("OPTIONS", "CALL"),
    ]


def test_a_twin_is_found_across_spellings_and_names_the_first() -> None:
    """ERR_POS_023 was: a crash, and every second lot of a day refused."""
    rows = [STOCK, {**STOCK, "Symbol": "aapl", "Quantity": "+100.0", "Investment Class": "public"}]
    (found,) = read(table(rows)).problems
    assert (found.code, found.line, found.params["first_line"]) == ("ERR_POS_023", 3, 2)


def test_an_underlying_with_a_class_letter_agrees_with_the_option_symbol() -> None:
    row = {**OPTION, "Symbol": "BRKB270115C00400000", "Underlying Symbol": "BRK/B", "Strike Price": "400"}
    (lot,) = read(table([row])).lots
    assert lot.option is not None
    assert lot.option.underlying == "BRK-B"
    assert lot.symbol == lot.option.symbol == "BRKB270115C00400000"


def test_a_contract_on_a_class_share_has_one_symbol_however_it_is_described() -> None:
    """The columns alone name the same contract as its option symbol, which has no punctuation."""
    columns = {**OPTION, "Symbol": "", "Underlying Symbol": "BRK.B", "Strike Price": "400"}
    (lot,) = read(table([columns])).lots
    assert lot.symbol == "BRKB270115C00400000"


def test_the_template_itself_reads_without_a_problem() -> None:
    holdings = read(template_csv().encode())
    assert holdings.problems == ()
    assert len(holdings.lots) == 8
    assert {lot.investment_class.value for lot in holdings.lots} == {"PUBLIC", "OPTIONS", "PRIVATE"}


def test_the_answer_names_the_format_and_the_hash_of_the_bytes() -> None:
    import hashlib

    data = lines(HEAD, GOOD)
    holdings = read(data)
    assert (holdings.format, holdings.version, holdings.rows_read) == ("template", "1", 1)
    assert holdings.sha256 == hashlib.sha256(data).hexdigest()
    assert read(b"x").format == "unknown"
