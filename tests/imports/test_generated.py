"""Generated files: what is written is read, faults are told in their place, and nothing ever raises."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.clock import exchange_date
from glassfolio.imports.codes import CATALOGUE
from glassfolio.model.holdings import InvestmentClass, Lot
from tests.imports.build import NAMES, OPTION, SAMPLES, STOCK, TODAY, line, places, read, table
from tests.imports.faults import FAULTS, Fault

NUMBER_STYLES: dict[str, Callable[[Decimal], str]] = {
    "plain": lambda x: f"{x:f}",
    "thousands": lambda x: f"{x:,f}",
    "dollars": lambda x: f"${x:,f}",
    "parentheses": lambda x: f"({-x:,f})" if x < 0 else f"+{x:f}",
    "trailing minus": lambda x: f"{-x:f}-" if x < 0 else f" {x:f}\u00a0",
    "apostrophes": lambda x: f"{x:,f}".replace(",", "'"),
}
DATE_STYLES = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "cp1252": b"",
}


@dataclass(frozen=True)
class Spelling:
    """How a table is written down."""

    delimiter: str
    encoding: str
    newline: str
    quote_all: bool
    names: tuple[str, ...]
    number: str
    dates: str
    decimal_comma: bool


def spellings() -> st.SearchStrategy[Spelling]:
    return st.builds(
        Spelling,
        st.sampled_from([",", ";", "\t"]),
        st.sampled_from(sorted(ENCODINGS)),
        st.sampled_from(["\n", "\r\n", "\r"]),
        st.booleans(),
        st.permutations(NAMES).map(tuple),
        st.sampled_from(sorted(NUMBER_STYLES)),
        st.sampled_from(DATE_STYLES),
        st.booleans(),
    )


def number_text(spelling: Spelling, value: Decimal) -> str:
    text = NUMBER_STYLES[spelling.number](value)
    if spelling.decimal_comma and spelling.delimiter != ",":
        return text.translate(str.maketrans(".,", ",."))
    return text


def spelled(spelling: Spelling, rows: list[dict[str, str]]) -> bytes:
    table_rows = [list(spelling.names), *([row.get(name, "") for name in spelling.names] for row in rows)]
    text = spelling.newline.join(line(row, spelling.delimiter, spelling.quote_all) for row in table_rows)
    note = "# Zoë" + spelling.newline
    return ENCODINGS[spelling.encoding] + (note + text).encode(spelling.encoding)


quantities = st.decimals(-(10**9), 10**9, places=8).filter(bool)
prices = st.decimals(Decimal("0.01"), 10**6, places=2)
days = st.dates(date(2000, 1, 1), date(2024, 6, 28)).map(
    lambda d: d - timedelta(days=max(d.weekday() - 4, 0))
)
symbols = st.from_regex(r"[A-Z]{1,5}", fullmatch=True).filter(lambda s: s != "NULL")


@st.composite
def lots(draw: st.DrawFn) -> Lot:
    entry = draw(days)
    exited = draw(st.booleans())
    return Lot(
        ordinal=0,
        line=0,
        symbol=draw(symbols),
        quantity=draw(quantities),
        entry_price=draw(prices),
        entry_date=entry,
        investment_class=InvestmentClass.PUBLIC,
        subtype=draw(st.sampled_from([None, "STOCK", "MUTUAL_FUND"])),
        exit_date=draw(st.dates(entry, TODAY)) if exited else None,
        exit_price=draw(prices) if exited else None,
    )


def as_row(lot: Lot, spelling: Spelling) -> dict[str, str]:
    assert lot.entry_price is not None
    assert lot.entry_date is not None
    row = {
        "Symbol": lot.symbol,
        "Quantity": number_text(spelling, lot.quantity),
        "Entry Price Per Share": number_text(spelling, lot.entry_price),
        "Entry Date": lot.entry_date.strftime(spelling.dates),
        "Investment Subtype": lot.subtype or "",
    }
    if lot.exit_date is not None and lot.exit_price is not None:
        row["Exit Date"] = lot.exit_date.strftime(spelling.dates)
        row["Exit Price Per Share"] = number_text(spelling, lot.exit_price)
    return row


def content(lot: Lot) -> tuple[object, ...]:
    exit_ = (lot.exit_date, lot.exit_price)
    return (lot.symbol, lot.quantity, lot.entry_price, lot.entry_date, lot.subtype, exit_)


@settings(max_examples=150, deadline=None)
@given(st.lists(lots(), min_size=1, max_size=6), spellings())
def test_what_is_written_in_any_spelling_is_read_again(written: list[Lot], spelling: Spelling) -> None:
    """P1: delimiter x encoding x newline x quoting x column order x number style."""
    holdings = read(spelled(spelling, [as_row(lot, spelling) for lot in written]))
    assert not holdings.errors or {p.code for p in holdings.errors} == {"ERR_POS_023"}
    assert [content(lot) for lot in holdings.lots] == [content(lot) for lot in written]
    assert [lot.line for lot in holdings.lots] == list(range(3, 3 + len(written)))


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, int | None, str | None]]]:
    """A file's physical lines with some faulty rows, and the places where each must be told."""
    filler = st.sampled_from(["# a note", '# an open " quote', "", "   ", ",,,"])
    names = [*NAMES, "Notes"]
    text = [*draw(st.lists(filler, max_size=5)), line(names)]
    expected: list[tuple[str, int | None, str | None]] = [("WARN_CSV_001", len(text), None)]
    for n in range(draw(st.integers(1, 6))):
        text += draw(st.lists(filler, max_size=3))
        fault = draw(st.one_of(st.none(), st.sampled_from(FAULTS)))
        row = fault.row if fault else {**STOCK, "Symbol": f"S{n}"}
        if fault and fault.column != "Quantity":
            row = {**row, "Quantity": str(1000 + n)}
        if fault:
            expected.append((fault.code, len(text) + 1, fault.column))
        notes = draw(st.sampled_from(["", "plain", "two\nlines", "three\n# quoted\nlines"]))
        text += line([{**row, "Notes": notes}.get(name, "") for name in names]).split("\n")
    return text, expected


@settings(max_examples=200, deadline=None)
@given(interleaved(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_faults_are_told_at_their_physical_lines_whatever_stands_between(
    made: tuple[list[str], list[tuple[str, int | None, str | None]]], newline: str
) -> None:
    """P2: comments, blank lines and quoted newlines shift reported lines by exactly that much."""
    text, expected = made
    assert places(read(newline.join(text).encode()).problems) == expected


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FAULTS), st.sampled_from(FAULTS), st.booleans())
def test_two_faults_yield_both(first: Fault, second: Fault, apart: bool) -> None:
    """P2."""
    between = [OPTION] if apart else []
    rows = [first.row, *between, second.row]
    found = [place for place in places(read(table(rows)).problems) if place[0] != "ERR_POS_023"]
    assert found == [(first.code, 2, first.column), (second.code, 3 + len(between), second.column)]


SEEDS = tuple(path.read_bytes() for path in sorted(SAMPLES.glob("[tf]*_*")))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        tokens = [
            b'"',
            b",",
            b";",
            b"\t",
            b"\n",
            b"\r",
            b"\0",
            b"#",
            b"\xff\xfe",
            b"1e999999",
            b"NaN",
            b"\x81",
            b"'",
        ]
        data[start:end] = draw(st.one_of(st.sampled_from(tokens), st.binary(max_size=6)))
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(st.one_of(mutated(), st.binary(max_size=300), st.text(max_size=200).map(lambda t: t.encode())))
def test_any_bytes_give_lots_or_listed_codes_and_never_an_exception(data: bytes) -> None:
    """P3."""
    holdings = read(data)
    assert {found.code for found in holdings.problems} <= set(CATALOGUE)
    assert holdings.lots or holdings.errors
    physical = data.count(b"\n") + data.count(b"\r") + 1
    for found in holdings.problems:
        assert found.line is None or 1 <= found.line <= (found.end_line or 0) <= physical
        assert found.value is None or (len(found.value) <= 64 and found.value.isprintable())
    rows = [found.line or 0 for found in holdings.problems if found.code.startswith("ERR_POS")]
    assert rows == sorted(rows)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize(
    ("moment", "today"),
    [("2024-06-27T23:59", date(2024, 6, 27)), ("2024-06-28T00:01", date(2024, 6, 28))],
)
def test_todays_trade_is_accepted_and_tomorrows_refused_by_the_exchanges_clock(
    zone: str, moment: str, today: date
) -> None:
    """P10; was: today was fixed when the process started, so that today's trades became future ones."""
    exchange = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("America/New_York"))
    now = exchange_date(exchange.astimezone(ZoneInfo(zone)))
    rows = [{**STOCK, "Entry Date": (today + timedelta(days=n)).isoformat()} for n in (0, 1)]
    assert places(read(table(rows), today=now).problems) == [("ERR_POS_014", 3, "Entry Date")]


def test_the_same_process_accepts_tomorrow_what_it_refuses_today() -> None:
    """ERR_POS_014: today is asked per call."""
    data = table([{**STOCK, "Entry Date": "2024-07-01"}])
    assert [p.code for p in read(data, today=date(2024, 6, 30)).problems] == ["ERR_POS_014"]
    assert read(data, today=date(2024, 7, 1)).problems == ()


def test_an_option_expires_after_its_last_day_and_not_on_it() -> None:
    row = {**OPTION, "Expiration Date": "2024-06-28"}
    assert read(table([row]), today=date(2024, 6, 28)).problems == ()
    assert [p.code for p in read(table([row]), today=date(2024, 6, 29)).problems] == ["WARN_POS_002"]


def test_a_hundred_years_ago_today_is_the_last_day_that_is_accepted() -> None:
    row = {**STOCK, "Entry Date": "1924-06-27"}
    assert read(table([row]), today=date(2024, 6, 27)).errors == ()
    assert [p.code for p in read(table([row]), today=date(2024, 6, 28)).errors] == ["ERR_POS_015"]
