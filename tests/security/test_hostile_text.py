"""B9: text from outside is data: in a file, a form, a name, a table, a download, a log, a statement."""

import ast
import csv
import io
import json
import logging
import sys
import unicodedata
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.cli import logs
from glassfolio.imports.text import readable, shown_name
from glassfolio.web.download import attachment
from glassfolio.web.results import FORMULA_STARTS, NUMBER, as_table
from tests.contracts.running import HEADER, form, make_settings, running, stored, upload
from tests.test_house import MODULES, dotted, named, tree

IMAGE = "<img src=x onerror=alert(1)>"
DIRECTION = "\u202egnp.exe\u2066\u200f"
HUGE = "1e999999"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(make_settings(tmp_path_factory.mktemp("text")), worker=False) as service:
        yield service.client()


def codes(reply: httpx.Response) -> set[str]:
    return {item["code"] for item in reply.json().get("errors", [])}


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        (IMAGE, "ERR_POS_003"),
        ("АAPL", "ERR_POS_003"),  # a Cyrillic letter
        ("AA\u200bPL", "ERR_POS_003"),
        ("AAPL\u202e", "ERR_POS_003"),
        ("ＡＡＰＬ", "ERR_POS_003"),
        ("=cmd|' /C calc'!A0", "ERR_POS_003"),
        ("@SUM(A1)", "ERR_POS_003"),
        ("AAPL;DROP TABLE lot", "ERR_POS_003"),
        ("A" * 25, "ERR_POS_002"),
    ],
    ids=ascii,
)
def test_nothing_but_a_ticker_is_a_symbol(client: httpx.Client, symbol: str, code: str) -> None:
    cell = '"' + symbol.replace('"', '""') + '"'
    reply = upload(client, HEADER + f"{cell},1,1,2021-03-15\n")
    assert reply.status_code == 422
    assert codes(reply) == {code}
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "cell",
    [HUGE, "-1e999999", "1_000", "NaN", "sNaN", "Infinity", "-inf", "١٢٣", "１２", "0x10", "1e5", "9" * 250],
)
@pytest.mark.parametrize("column", [1, 2])
def test_a_number_is_digits_before_anything_converts_it(client: httpx.Client, cell: str, column: int) -> None:
    row = ["AAPL", "1", "1", "2021-03-15"]
    row[column] = cell
    reply = upload(client, HEADER + ",".join(row) + "\n")
    assert reply.status_code == 422
    assert codes(reply) <= {"ERR_POS_005", "ERR_POS_009", "ERR_POS_031"}


@pytest.mark.parametrize("value", [HUGE, "NaN", "1_000", "١٢", "9" * 60_000])
def test_an_equity_is_digits_before_anything_converts_it(client: httpx.Client, value: str) -> None:
    reply = upload(client, equity=value)
    assert reply.status_code == 422
    assert codes(reply) <= {"ERR_PORT_005", "ERR_PORT_006"}


def test_a_name_is_kept_as_text_without_what_cannot_be_seen(client: httpx.Client) -> None:
    """Markup stays as it was typed: it is escaped where it is shown, not where it is stored."""
    told = {
        "name": f"{IMAGE} {DIRECTION}\x00\x1b[31m\x85\u2028é 👩\u200d🔬",
        "account_name": f"a\u202eb {form()['account_name']}",
        "description": "one\r\ntwo\u2029\u200ethree",
    }
    portfolio_id = stored(client, **told)
    kept = client.get(f"/api/v1/portfolios/{portfolio_id}").json()
    assert kept["name"] == f"{IMAGE} gnp.exe[31mé 👩\u200d🔬"
    assert kept["account_name"].startswith("ab Account")
    assert kept["description"] == "one\ntwothree"


def test_a_name_of_nothing_that_can_be_seen_is_missing(client: httpx.Client) -> None:
    assert codes(upload(client, name="\u202e\u200b \u2066", account_name="\ufeff")) == {
        "ERR_PORT_002",
        "ERR_PORT_011",
    }


def test_names_that_differ_only_in_what_cannot_be_seen_are_one(client: httpx.Client) -> None:
    fields = form(account_name="Joint of mine")
    stored(client, **fields)
    assert upload(client, **{**fields, "account_name": "Jo\u200bint\u202e of mine"}).status_code == 409


@given(text=st.text())
def test_readable_text_stays_and_has_no_line_of_its_own(text: str) -> None:
    kept = readable(text)
    assert readable(kept) == kept
    assert len(kept.splitlines()) <= kept.count("\n") + 1
    # A character that this Python's Unicode does not know yet is no printable one, and stays.
    known = [c for c in kept if unicodedata.category(c) not in ("Cn", "Co")]
    assert all(c.isprintable() or c in "\n\t\u200c\u200d" or c.isspace() for c in known)


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("holdings.csv", "holdings.csv"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\me\\a.csv", "a.csv"),
        (f"{IMAGE}.csv", f"{IMAGE}.csv"),
        ("a\r\nSet-Cookie: x=1.csv", "aSet-Cookie: x=1.csv"),
        ("fdp\u202evsc.exe", "fdpvsc.exe"),
        ("x" * 200 + ".csv", "x" * 96 + ".csv"),
        ("." + "y" * 200, "." + "y" * 99),
        ("", ""),
        ("..", ""),
        ("\0", ""),
    ],
    ids=ascii,
)
def test_a_files_name_is_never_a_path(filename: str, shown: str) -> None:
    assert shown_name(filename) == shown


@given(filename=st.text(max_size=300))
def test_a_files_name_is_short_and_printable_and_no_path(filename: str) -> None:
    name = shown_name(filename)
    assert len(name) <= 100
    assert name.isprintable()
    assert not set(name) & {"/", "\\"}
    assert name not in (".", "..")


@given(filename=st.text(max_size=300))
def test_a_download_is_named_in_one_header_that_nothing_breaks(filename: str) -> None:
    (value,) = attachment(filename).values()
    assert value.isascii()
    assert value.isprintable()
    assert value.startswith('attachment; filename="')
    assert value.count('"') == 2
    assert "\\" not in value


def test_a_download_keeps_its_own_name() -> None:
    assert attachment("log.txt") == {"Content-Disposition": 'attachment; filename="log.txt"'}
    assert attachment('Depot "é".csv') == {
        "Content-Disposition": 'attachment; filename="Depot ___.csv"; '
        "filename*=UTF-8''Depot%20%22%C3%A9%22.csv"
    }


def test_markup_as_a_files_name_comes_back_nowhere(client: httpx.Client) -> None:
    for content in (HEADER + "AAPL,1,1,2021-03-15\n", "nothing we know\n", "PK\x03\x04"):
        files = {"file": (f"{IMAGE}\u202e.csv", content.encode(), "text/csv")}
        reply = client.post("/api/v1/portfolios", files=files, data=form())
        assert "onerror" not in reply.text
        assert "onerror" not in str(reply.headers)


@pytest.mark.parametrize("start", FORMULA_STARTS, ids=ascii)
@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\n "], ids=ascii)
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(start: str, before: str) -> None:
    (row,) = csv.DictReader(io.StringIO(as_table([{"cell": f"{before}{start}1+1"}]), newline=""))
    assert row["cell"] == f"'{before}{start}1+1"


@pytest.mark.parametrize("text", ["-1_000", "-1+1", "+1", "-inf", "-nan", "-0x1", "-1 ", "=1", "-١"])
def test_only_a_plain_number_of_ours_may_begin_with_a_sign(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(as_table([{"cell": text}]), newline=""))
    assert row["cell"] == "'" + text


@given(cells=st.lists(st.text(), min_size=1, max_size=5))
def test_every_cell_of_a_table_reads_back_and_none_is_a_formula(cells: list[str]) -> None:
    table = as_table([{str(place): cell for place, cell in enumerate(cells)}])
    ((*row,),) = list(csv.reader(io.StringIO(table, newline="")))[1:]
    for cell, read in zip(cells, row, strict=True):
        assert read.removeprefix("'") == cell.removeprefix("'")
        assert NUMBER.fullmatch(read) or not read.strip().startswith(FORMULA_STARTS)


HOSTILE = "two\nlines\r\x1b[2K\u2028\u202e{'event': 1}"


@pytest.mark.parametrize("kind", ["json", "console"])
def test_one_event_is_one_line_of_the_log(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        logs.configure("json" if kind == "json" else "console")
        logging.getLogger("test").warning("said %s", HOSTILE)
        logging.getLogger("test").warning("and")
        sys.stderr.flush()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "\x1b[2K" not in lines[0]
    if kind == "json":
        assert json.loads(lines[0])["event"].startswith("said two\\nlines")


def test_json_that_leaves_has_no_number_that_is_none() -> None:
    """Every encoder of ours refuses NaN; the framework's does by itself."""
    calls = [
        (named(path), node)
        for path in MODULES
        if path.relative_to(path.parents[1]).parts[0] in {"web", "progress", "cli"}
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) in ("json.dumps", "json.dump")
    ]
    assert len(calls) >= 3
    for where, node in calls:
        given_ = {word.arg: word.value for word in node.keywords}
        assert "allow_nan" in given_, where
        assert ast.literal_eval(given_["allow_nan"]) is False, where


# Statements put together from names of our own tables, columns and constants; no value is ever part of one.
PUT_TOGETHER = {
    "db/bulk.py",
    "db/changes.py",
    "db/engine.py",
    "engine/liveness.py",
    "engine/reconcile.py",
}
TAKING_SQL = {"text", "execute", "exec_driver_sql", "executemany", "executescript", "literal_column", "copy"}


def put_together(node: ast.expr) -> bool:
    """Whether a text is made of parts: f-string, +, %, format, join."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("format", "join")
    )


def statements(module: ast.Module) -> Iterator[ast.expr]:
    """What is handed to something that takes SQL as text."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and node.args and dotted(node.func).rsplit(".", 1)[-1] in TAKING_SQL:
            yield node.args[0]


def test_values_reach_the_database_as_parameters_only() -> None:
    found = {named(path) for path in MODULES for given_ in statements(tree(path)) if put_together(given_)}
    assert found <= PUT_TOGETHER
    assert "db/bulk.py" in found


@pytest.mark.parametrize(
    "source",
    [
        'c.execute(f"SELECT {x}")',
        'sa.text("SELECT " + x)',
        'c.exec_driver_sql("SELECT %s" % x)',
        'sa.text("SELECT {}".format(x))',
    ],
)
def test_the_rule_above_sees_every_way(source: str) -> None:
    assert [put_together(given_) for given_ in statements(ast.parse(source))] == [True]


@pytest.mark.parametrize(
    "value", ["'; DROP TABLE portfolio; --", '"', "\\", "%s", ":name", "{0}", "' OR 1=1 --"]
)
def test_what_looks_like_sql_is_stored_and_found_as_text(client: httpx.Client, value: str) -> None:
    name = f"{value} {form()['account_name']}"
    portfolio_id = stored(client, name=value, account_name=name, description=value)
    kept = client.get(f"/api/v1/portfolios/{portfolio_id}").json()
    assert (kept["name"], kept["account_name"], kept["description"]) == (value, name, value)
    assert upload(client, account_name=name).status_code == 409


def test_nobody_can_make_us_fetch_an_address() -> None:
    """SSRF: no field of a form or a file is an address; only the settings name one."""
    readers = [named(path) for path in MODULES if "httpx" in path.read_text("utf-8")]
    assert set(readers) <= {
        "providers/http.py",
        "providers/tiingo.py",
        "cli/watching.py",
        "cli/logs.py",
        "identity/keyset.py",
    }
