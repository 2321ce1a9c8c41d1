"""Generated and damaged holdings files, and what must hold for every one of them. The seed tells all."""

import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from glassfolio.imports import FORMATS, parse
from glassfolio.imports.codes import CATALOGUE
from glassfolio.imports.form import PortfolioForm, read_form
from glassfolio.imports.template_columns import Column
from glassfolio.model.holdings import Holdings, Lot, Problem
from glassfolio.web.errors import problem_record
from tests.imports.build import OCC, OPTION, SAMPLES, STOCK, TODAY

CELLS: tuple[str, ...] = (
    *("", " ", "-", "--", "n/a", "NULL", "0", "-0", "1", "-1", "(12)", "12-", "+7", ".5", "5.", "1,5", "1.5"),
    *("1,234.5", "1.234,5", "1'234", "$1", "USD 5", "€5", "5 EUR", "1e5", "1E+07", "1e999999", "-1e999999"),
    *(
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "1_000",
        "١٢٣",
        "１２",
        "0x10",
        "9" * 15,
        "9" * 16,
        "9" * 257,
        "1." + "1" * 9,
    ),
    *("AAPL", "BRK/B", "BRK B", "VOD.L", "^GSPC", "CASH_USD", "aapl", "A" * 24, "A" * 25, "АAPL", "A\u200bB"),
    *(
        "\u202eAAPL",
        "<img src=x onerror=alert(1)>",
        "=1+1",
        "@SUM",
        "'; DROP TABLE lot; --",
        "%s",
        "{0}",
        "\\",
    ),
    *("AAPL240119C00150000", "AAPL  240119C00150000", "AAPL1240119C00150000", "AAPL249919C00150000"),
    *(
        "2021-03-15",
        "2021/03/15",
        "20210315",
        "03/04/2021",
        "15.03.2021",
        "2021-02-30",
        "0000-00-00",
        "9999-12-31",
    ),
    *(
        "1900-01-01",
        "2021-03-14",
        "PUBLIC",
        "OPTIONS",
        "PRIVATE",
        "STOCK",
        "CALL",
        "put",
        "CASH",
        "MONEY_MARKET",
        "OTHER",
    ),
    *(
        '"',
        '""',
        '"a',
        'a"b',
        "a\nb",
        "a\rb",
        "#",
        "\0",
        "\ufeff",
        "\u2028",
        "\x85",
        "\x1b[2J",
        "é",
        "😀",
        "ﷺ",
    ),
)
TOKENS: tuple[bytes, ...] = (
    *(cell.encode() for cell in CELLS),
    *(b",", b";", b"\t", b"\n", b"\r", b"\r\n", b'"', b'""', b"#", b"\0", b"\xff", b"\xfe\xff", b"\xff\xfe"),
    *(
        b"\xef\xbb\xbf",
        b"PK\x03\x04",
        b"%PDF",
        b"\x1f\x8b",
        b"<html",
        b"\x80",
        b"\xc3",
        b"\xed\xa0\x80",
        b"," * 300,
    ),
    *(column.value.encode() for column in Column),
)
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1")
NAMES = (
    "a.csv",
    "a.txt",
    "a.tsv",
    "a.csv.xls",
    "a.xlsx",
    "",
    "..",
    "a\u202e.csv",
    "x" * 300,
    "\0",
    "/etc/passwd",
)
LONGEST_FILE = 20_000


@dataclass
class Report:
    """What came of many files. worst: CPU seconds of the slowest; growth: MiB since the first tenth."""

    seed: int
    files: int = 0
    accepted: int = 0
    worst: float = 0.0
    seconds: float = 0.0
    growth: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    escapes: list[str] = field(default_factory=list)

    @property
    def never_told(self) -> set[str]:
        """The codes of files and rows that no file has yielded."""
        return {code for code in CATALOGUE if "PORT" not in code} - set(self.codes)


def fuzz(count: int, seed: int, told: Callable[[str], None] = lambda _line: None) -> Report:
    """Read `count` files; what escapes is kept with the file's number, from which the seed makes it again."""
    report, before, began = Report(seed), 0.0, time.perf_counter()
    bases = [path.read_bytes() for path in sorted(SAMPLES.iterdir()) if path.is_file()]
    bases = [base for base in bases if len(base) < LONGEST_FILE]
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        data, name = make(chance, bases), chance.choice(NAMES)
        since = time.thread_time()
        try:
            holdings = parse(data, filename=name, today=TODAY, is_session=lambda day: day.weekday() < 5)
            took = time.thread_time() - since
            check(holdings, data)
            if number % 10 == 0:
                check_form(chance)
        except Exception as error:  # noqa: BLE001
            report.escapes.append(f"{seed}/{number}: {type(error).__name__}: {error}"[:300])
            continue
        report.files += 1
        report.accepted += not holdings.errors
        report.worst = max(report.worst, took)
        report.codes.update({found.code for found in holdings.problems})
        if number == count // 10:
            before = _peak_mib()
        if number % max(count // 10, 1) == 0:
            told(f"{number} of {count} files")
    report.seconds, report.growth = time.perf_counter() - began, _peak_mib() - before
    return report


def make(chance: random.Random, bases: Sequence[bytes]) -> bytes:
    """One file: a table from cells that mean something, or a sample; more or less damaged."""
    data = table(chance) if chance.random() < 0.6 else chance.choice(bases)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5, 20))):
        data = damage(chance, data, bases)
    return data[:LONGEST_FILE]


def table(chance: random.Random) -> bytes:
    """A table that is nearly one of ours."""
    names = [column.value for column in Column]
    if chance.random() < 0.3:
        chance.shuffle(names)
    if chance.random() < 0.2:
        names = names[: chance.randrange(len(names))]
    if chance.random() < 0.1:
        names.append(chance.choice((*names, *CELLS)) if names else "x")
    delimiter = chance.choice((",", ",", ",", ";", "\t"))
    rows = [names]
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        row = dict(chance.choice((STOCK, STOCK, OPTION, OCC)))
        for _ in range(chance.choice((0, 0, 1, 2, 6))):
            row[chance.choice(list(Column)).value] = chance.choice(CELLS)
        rows.append([row.get(name, "") for name in names])
    quote = chance.choice((_quoted_where_needed, _always_quoted, _never_quoted))
    newline = chance.choice(("\n", "\r\n", "\r"))
    text = newline.join(delimiter.join(quote(cell, delimiter) for cell in row) for row in rows)
    return (text + newline).encode(chance.choice(ENCODINGS), errors="replace")


def _quoted_where_needed(cell: str, delimiter: str) -> str:
    return _always_quoted(cell, delimiter) if set(cell) & {delimiter, '"', "\n", "\r"} else cell


def _always_quoted(cell: str, _delimiter: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _never_quoted(cell: str, _delimiter: str) -> str:
    return cell


def damage(chance: random.Random, data: bytes, bases: Sequence[bytes]) -> bytes:
    """The file with one thing done to it."""
    at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    piece = data[at:to]
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: data[:at] + chance.choice(TOKENS) + data[at:],
        lambda: data[:at] + chance.choice(TOKENS) + data[to:],
        lambda: data[:at] + chance.randbytes(chance.randrange(1, 8)) + data[at:],
        lambda: data[:at] + data[to:],
        lambda: data[:to] + piece * chance.randrange(1, 6) + data[to:],
        lambda: data[:at],
        lambda: chance.choice(TOKENS) + data,
        lambda: data[:at] + chance.choice(bases)[at:],
        lambda: data.replace(*chance.choice(((b",", b";"), (b";", b","), (b"\n", b"\r"), (b'"', b"")))),
        lambda: data[:at] + bytes(255 - byte for byte in piece[:1]) + data[at + 1 :],
    )
    return chance.choice(ways)()[:LONGEST_FILE]


def check(holdings: Holdings, data: bytes) -> None:
    """Fail unless everything told and read is of the kind that is promised."""
    lines = 1 + data.count(b"\n") + data.count(b"\r")
    assert holdings.format in {"unknown", *(found.name for found in FORMATS)}
    assert holdings.errors or holdings.lots
    for found in holdings.problems:
        check_problem(found)
        assert found.line is None or 1 <= found.line <= (found.end_line or 0) <= lines
    for lot in holdings.lots:
        check_lot(lot)


def check_problem(found: Problem) -> None:
    """A code of the catalogue, words with everything filled in, and nothing that breaks an answer."""
    assert found.code in CATALOGUE
    assert found.severity is CATALOGUE[found.code].severity
    assert found.detail
    assert found.hint
    assert found.value is None or (len(found.value) <= 64 and found.value.isprintable())
    json.dumps(problem_record(found), allow_nan=False, ensure_ascii=False).encode()


def check_lot(lot: Lot) -> None:
    """Numbers that are exact and of a size the database keeps, a symbol that is one."""
    assert lot.symbol.isascii()
    assert lot.symbol.isprintable()
    assert 1 <= len(lot.symbol) <= 40
    for number in (lot.quantity, lot.entry_price, lot.exit_price):
        if number is not None:
            assert number.is_finite()
            assert abs(number) < Decimal(10) ** 15
            assert -int(number.as_tuple().exponent) <= 8
    assert lot.quantity
    assert lot.exit_date is None or lot.entry_date is None or lot.exit_date >= lot.entry_date


def check_form(chance: random.Random) -> None:
    """A form of hostile fields is read, or told with codes of its own."""
    fields = {
        name: chance.choice(CELLS) * chance.choice((1, 1, 3, 200))
        for name in ("name", "account_name", "account_type", "equity", "equity_as_of", "description")
    }
    read = read_form(fields, today=TODAY)
    if isinstance(read, PortfolioForm):
        assert 0 < read.equity <= Decimal(10) ** 12
        assert read.name.isprintable()
        assert len(read.name) <= 255
        return
    for found in read:
        check_problem(found)
        assert found.code.startswith("ERR_PORT_")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
