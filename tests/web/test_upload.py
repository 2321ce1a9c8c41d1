"""Opening a portfolio over HTTP: what is stored, what is refused, and how it is told."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from glassfolio.imports.text import MAX_BYTES
from tests.contracts.running import HEADER, ONE_LOT, Running, form, opened, status, stored, upload

BAD_FORM = {"name": " ", "account_name": "", "account_type": "shoebox", "equity": "-5"}


def errors(reply: httpx.Response) -> list[tuple[str, int | None, str | None]]:
    return [(e["code"], e["line"], e["column"]) for e in reply.json()["errors"]]


def test_an_accepted_upload_says_where_to_look(idle: Running, alice: httpx.Client) -> None:
    """S12: the run is bound to its portfolio before the answer is sent."""
    reply = upload(alice)
    assert reply.status_code == 202
    answer = reply.json()
    assert answer["positions"] == 1
    assert answer["problems"] == answer["warnings"] == []
    assert answer["status_url"].endswith(f"/api/v1/onboarding/status/{answer['portfolio_id']}")
    assert reply.headers["location"].endswith(f"/api/v1/portfolios/{answer['portfolio_id']}")
    assert reply.headers["operation-location"].endswith(f"/api/v1/runs/{answer['run_id']}")
    assert reply.headers["retry-after"] == "2"
    doc = status(alice, answer["portfolio_id"])
    assert (doc["status"], doc["run_id"], doc["trigger"]) == ("running", answer["run_id"], "user")


def test_every_problem_of_form_and_file_comes_at_once(alice: httpx.Client) -> None:
    rows = "AAPL,0,126.00,2021-03-15\n# a comment\n,5,10.00,2021-03-15\nMSFT,5,x,2021-03-15\n"
    reply = upload(alice, HEADER + rows, **BAD_FORM)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert errors(reply) == [
        ("ERR_PORT_002", None, "name"),
        ("ERR_PORT_011", None, "account_name"),
        ("ERR_PORT_009", None, "account_type"),
        ("ERR_PORT_005", None, "equity"),
        ("ERR_POS_006", 2, "Quantity"),
        ("ERR_POS_001", 4, "Symbol"),
        ("ERR_POS_009", 5, "Entry Price Per Share"),
    ]
    problem = reply.json()
    assert problem["code"] == "BAD_HOLDINGS"
    assert problem["total_errors"] == 7
    assert problem["errors"][4]["pointer"] == "/rows/2/Quantity"
    assert all(e["detail"] and e["hint"] for e in problem["errors"])
    assert {"code": "ERR_POS_006", "column": "Quantity", "count": 1, "lines": [2]} in problem["groups"]


def test_a_form_without_a_file_says_so_beside_its_other_problems(alice: httpx.Client) -> None:
    reply = alice.post("/api/v1/portfolios", data=form(equity="x"))
    assert reply.status_code == 422
    assert errors(reply) == [("ERR_PORT_005", None, "equity"), ("ERR_PORT_007", None, "file")]


def test_a_body_that_is_no_form_is_a_form_without_fields(alice: httpx.Client) -> None:
    reply = alice.post("/api/v1/portfolios", json={"name": "x"})
    assert reply.status_code == 422
    assert {code for code, _line, _column in errors(reply)} >= {"ERR_PORT_002", "ERR_PORT_007"}


@pytest.mark.parametrize("content", [b"PK\x03\x04rest", b"\x1f\x8b\x08rest"], ids=["zip", "gzip"])
def test_an_archive_is_an_unsupported_kind(alice: httpx.Client, content: bytes) -> None:
    reply = upload(alice, content)
    assert reply.status_code == 415
    assert reply.json()["code"] == "ERR_CSV_002"


def test_a_compressed_body_is_an_unsupported_kind(alice: httpx.Client) -> None:
    reply = alice.post("/api/v1/portfolios", data=form(), headers={"Content-Encoding": "gzip"})
    assert reply.status_code == 415
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_file_over_the_limit_is_too_large(alice: httpx.Client) -> None:
    reply = upload(alice, HEADER.encode() + b"#" * MAX_BYTES)
    assert reply.status_code == 413
    assert reply.json()["code"] == "ERR_CSV_001"


def test_a_declared_length_over_the_limit_is_refused_before_any_of_it_arrives(idle: Running) -> None:
    head = (
        "POST /api/v1/portfolios HTTP/1.1\r\nHost: here\r\n"
        f"Authorization: Bearer {idle.token()}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {MAX_BYTES * 2}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(idle.url.rsplit(":", 1)[1])), timeout=5) as raw:
        raw.sendall(head.encode())
        assert raw.recv(64).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_tell_its_length_is_counted(alice: httpx.Client) -> None:
    """Chunked bodies lie: bytes are counted while they arrive."""

    def chunks() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(12):
            yield b"#" * 2**20

    reply = alice.post(
        "/api/v1/portfolios",
        content=chunks(),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert reply.status_code == 413
    assert reply.json()["code"] == "ERR_CSV_001"


def test_a_broken_form_is_a_problem(alice: httpx.Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = alice.post("/api/v1/portfolios", content=b"--x\r\nnonsense", headers=headers)
    assert reply.status_code in (400, 422)
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_dry_run_stores_nothing(idle: Running) -> None:
    """Not even the account name is taken by it."""
    client = idle.client("dry")
    fields = form()
    reply = upload(client, query="dry_run=true", **fields)
    assert reply.status_code == 200
    assert reply.json()["positions"] == 1
    assert reply.json()["portfolio_id"] is reply.json()["run_id"] is None
    assert client.get("/api/v1/portfolios").json() == []
    assert upload(client, query="dry_run=true", **fields).status_code == 200


def test_a_dry_run_refuses_what_a_real_one_would(alice: httpx.Client) -> None:
    assert upload(alice, HEADER + "AAPL,0,1,2021-03-15\n", query="dry_run=true").status_code == 422
    fields = form()
    upload(alice, **fields)
    assert upload(alice, query="dry_run=true", **fields).status_code == 409


def test_start_false_stores_without_a_run(alice: httpx.Client) -> None:
    """S4: its status is `not_found`, with HTTP 200, until a run starts."""
    reply = upload(alice, query="start=false")
    assert reply.status_code == 201
    assert reply.json()["run_id"] is None
    portfolio_id = reply.json()["portfolio_id"]
    assert reply.headers["location"].endswith(portfolio_id)
    assert status(alice, portfolio_id)["status"] == "not_found"
    assert alice.get(f"/api/v1/portfolios/{portfolio_id}/runs").json() == []


def test_an_account_name_is_free_again_after_its_portfolio_is_deleted(alice: httpx.Client) -> None:
    """Case and blanks do not make another name; the refusal links to the portfolio that has it."""
    first = stored(alice, account_name="Joint Account X")
    taken = upload(alice, account_name="  joint account x ")
    assert taken.status_code == 409
    assert taken.json()["code"] == "ERR_PORT_001"
    assert taken.json()["links"]["portfolio"] == f"/api/v1/portfolios/{first}"
    assert alice.delete(f"/api/v1/portfolios/{first}").status_code == 204
    assert upload(alice, account_name="Joint Account X").status_code == 202


def test_another_owner_may_use_the_same_account_name(alice: httpx.Client, mallory: httpx.Client) -> None:
    stored(alice, account_name="Everybody's")
    assert upload(mallory, account_name="Everybody's").status_code == 202


def test_a_refused_file_leaves_no_portfolio_behind(idle: Running) -> None:
    """Portfolio, lots and run are one transaction."""
    client = idle.client("refused")
    assert upload(client, HEADER + "AAPL,5,1,2021-03-15\nMSFT,0,1,2021-03-15\n").status_code == 422
    assert client.get("/api/v1/portfolios").json() == []


def test_a_file_that_cannot_be_valued_at_all_is_refused_with_the_last_priced_day(
    alice: httpx.Client,
) -> None:
    reply = upload(alice, HEADER + "AAPL,100,150.00,2023-03-15\n")
    assert reply.status_code == 422
    assert reply.json()["code"] == "NOTHING_TO_VALUE"
    assert "2022-12-28" in reply.json()["detail"]


def test_an_equity_date_before_the_first_price_is_refused(alice: httpx.Client) -> None:
    reply = upload(alice, equity_as_of="2010-01-04")
    assert errors(reply) == [("ERR_PORT_013", None, "equity_as_of")]


def test_a_warning_does_not_keep_a_file_from_being_stored(alice: httpx.Client) -> None:
    reply = upload(alice, HEADER.strip() + ",Mood\nAAPL,100,126.00,2021-03-15,fine\n")
    assert reply.status_code == 202
    assert [w["severity"] for w in reply.json()["warnings"]] == ["warning"]


def test_a_portfolio_reads_back_as_it_was_sent(alice: httpx.Client) -> None:
    portfolio_id = stored(alice, name="My book", equity="100000.10", equity_as_of="2022-06-30")
    told = alice.get(f"/api/v1/portfolios/{portfolio_id}").json()
    assert (told["name"], told["equity"], told["equity_as_of"]) == ("My book", "100000.10", "2022-06-30")
    assert portfolio_id in [p["portfolio_id"] for p in alice.get("/api/v1/portfolios").json()]


def test_the_template_needs_no_token_and_is_itself_a_file_we_read(idle: Running, alice: httpx.Client) -> None:
    template = idle.anonymous().get("/api/v1/onboarding/csv-template")
    assert template.status_code == 200
    assert template.headers["content-type"].startswith("text/csv")
    assert upload(alice, template.text, query="dry_run=true").status_code == 200


def test_an_opened_portfolio_has_its_run_at_once(alice: httpx.Client) -> None:
    """S21: a run records what triggered it, and no e-mail address or subject."""
    answer = opened(alice, ONE_LOT)
    runs = alice.get(f"/api/v1/portfolios/{answer['portfolio_id']}/runs").json()
    assert [(r["run_id"], r["trigger"], r["status"]) for r in runs] == [(answer["run_id"], "user", "running")]
    assert "alice" not in str(runs)
