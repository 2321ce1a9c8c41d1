"""Tickets for streams that cannot send a token: single use, short, bound, kept as hashes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from glassfolio.clock import SystemClock
from glassfolio.db.tables import stream_ticket
from glassfolio.errors import NotSignedIn
from glassfolio.signing_in import SigningIn
from glassfolio.store.access import Ticket
from tests.contracts.running import Running, ShiftedClock, make_settings, opened, running, stored
from tests.databases import shared_database
from tests.web.browser import Browser


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("tickets")
    with shared_database(request, folder) as url:
        clock = ShiftedClock(SystemClock().now())
        with running(make_settings(folder, url), worker=False, clock=clock) as started:
            yield started


@pytest.fixture
def signing_in(service: Running) -> SigningIn:
    return service.parts.signing_in


def path(portfolio_id: str) -> str:
    return f"/api/v1/onboarding/status/{portfolio_id}/stream-ticket"


def ticket(service: Running, portfolio_id: str, subject: str = "alice") -> str:
    headers = {"Authorization": f"Bearer {service.token(subject)}"}
    reply = service.anonymous().post(path(portfolio_id), headers=headers)
    assert reply.status_code == 201, reply.text
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json()["expires_in"] == 30
    return str(reply.json()["ticket"])


def move(service: Running, seconds: float) -> None:
    clock = service.parts.clock
    assert isinstance(clock, ShiftedClock)
    clock.move(timedelta(seconds=seconds))


def is_good(signing_in: SigningIn, secret: str, portfolio_id: str | None, run_id: str | None = None) -> bool:
    try:
        signing_in.redeem_ticket(secret, portfolio_id=portfolio_id, run_id=run_id)
    except NotSignedIn:
        return False
    return True


def test_a_ticket_lets_its_owner_in_once_for_one_run_of_one_portfolio(
    service: Running, signing_in: SigningIn
) -> None:
    told = opened(service.client("alice"))
    secret = ticket(service, told["portfolio_id"])
    assert len(secret) == 43
    redeemed = signing_in.redeem_ticket(secret, portfolio_id=told["portfolio_id"])
    assert isinstance(redeemed, Ticket)
    assert (redeemed.portfolio_id, redeemed.run_id) == (told["portfolio_id"], told["run_id"])
    assert service.parts.reading.portfolio(redeemed.user_id, told["portfolio_id"])
    assert redeemed.sid
    assert not is_good(signing_in, secret, told["portfolio_id"])


def test_of_many_that_redeem_it_at_once_one_comes_in(service: Running, signing_in: SigningIn) -> None:
    portfolio_id = stored(service.client("alice"))
    secret = ticket(service, portfolio_id)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _n: is_good(signing_in, secret, portfolio_id), range(8))) == 1


@pytest.mark.parametrize(("age", "good"), [(29, True), (31, False)])
def test_a_ticket_lives_thirty_seconds(service: Running, signing_in: SigningIn, age: int, good: bool) -> None:
    portfolio_id = stored(service.client("alice"))
    secret = ticket(service, portfolio_id)
    move(service, age)
    assert is_good(signing_in, secret, portfolio_id) is good


def test_a_ticket_of_another_portfolio_or_run_is_refused_and_used_up(
    service: Running, signing_in: SigningIn
) -> None:
    told, other = opened(service.client("alice")), stored(service.client("alice"))
    secret = ticket(service, told["portfolio_id"])
    assert not is_good(signing_in, secret, other)
    assert not is_good(signing_in, secret, told["portfolio_id"])
    assert not is_good(signing_in, ticket(service, told["portfolio_id"]), told["portfolio_id"], other)
    assert is_good(signing_in, ticket(service, told["portfolio_id"]), told["portfolio_id"], told["run_id"])


def test_a_portfolio_that_was_never_onboarded_has_a_ticket_without_a_run(
    service: Running, signing_in: SigningIn
) -> None:
    portfolio_id = stored(service.client("alice"))
    assert signing_in.redeem_ticket(ticket(service, portfolio_id), portfolio_id=portfolio_id).run_id is None
    assert not is_good(signing_in, ticket(service, portfolio_id), portfolio_id, portfolio_id)


@pytest.mark.parametrize("secret", ["", "x", "a" * 43, "é", "\udcff"])
def test_what_was_never_given_out_is_refused(service: Running, signing_in: SigningIn, secret: str) -> None:
    assert not is_good(signing_in, secret, stored(service.client("alice")))


def test_the_database_keeps_hashes_only_and_old_ones_go(service: Running) -> None:
    portfolio_id = stored(service.client("alice"))
    secret = ticket(service, portfolio_id)

    def kept() -> list[str]:
        with service.parts.database.reading() as connection:
            return [str(row) for row in connection.execute(sa.select(stream_ticket))]

    assert secret not in str(kept())
    move(service, 31)
    ticket(service, portfolio_id)
    assert len(kept()) == 1


def test_signing_out_takes_the_tickets_of_that_sign_in_along(service: Running, signing_in: SigningIn) -> None:
    with Browser(service) as browser, Browser(service) as other:
        browser.open_link("alice")
        other.open_link("alice")
        portfolio_id = stored(service.client("alice"))
        mine, others = (
            service.anonymous().post(path(portfolio_id), headers=one.bearer()).json()["ticket"]
            for one in (browser, other)
        )
        browser.post("/sign-out")
        assert not is_good(signing_in, mine, portfolio_id)
        assert is_good(signing_in, others, portfolio_id)


def test_a_ticket_is_no_token(service: Running) -> None:
    portfolio_id = stored(service.client("alice"))
    headers = {"Authorization": f"Bearer {ticket(service, portfolio_id)}"}
    assert service.anonymous().get("/api/v1/portfolios", headers=headers).status_code == 401


def opens(service: Running, address: str, secret: str, **headers: str) -> int:
    """The status of a stream that is opened with a ticket."""
    with service.anonymous().stream("GET", f"{address}?ticket={secret}", headers=headers) as reply:
        if reply.status_code == 200:
            assert reply.headers["content-type"].startswith("text/event-stream")
            assert next(reply.iter_lines()).startswith("retry:")
        return reply.status_code


def test_a_stream_opens_with_a_ticket_once(service: Running) -> None:
    told = opened(service.client("alice"))
    secret = ticket(service, told["portfolio_id"])
    address = f"/api/v1/onboarding/status/{told['portfolio_id']}/events"
    assert opens(service, address, secret) == 200
    assert opens(service, address, secret) == 401


def test_the_stream_of_the_run_opens_with_it_and_that_of_another_does_not(
    service: Running, signing_in: SigningIn
) -> None:
    told, other = opened(service.client("alice")), opened(service.client("alice"))
    assert (
        opens(service, f"/api/v1/runs/{told['run_id']}/events", ticket(service, told["portfolio_id"])) == 200
    )
    for address in (f"/api/v1/runs/{other['run_id']}", f"/api/v1/onboarding/status/{other['portfolio_id']}"):
        assert opens(service, f"{address}/events", ticket(service, told["portfolio_id"])) == 401
    never = stored(service.client("alice"))
    assert not is_good(signing_in, ticket(service, never), None)


def test_a_ticket_does_not_help_a_token_that_does_not_hold_and_opens_nothing_else(service: Running) -> None:
    told = opened(service.client("alice"))
    address = f"/api/v1/onboarding/status/{told['portfolio_id']}"
    secret = ticket(service, told["portfolio_id"])
    assert opens(service, f"{address}/events", secret, Authorization="Bearer a.b.c") == 401
    for path_ in (address, f"{address}/logs", "/api/v1/portfolios"):
        assert opens(service, path_, secret) == 401
    assert opens(service, f"{address}/events", secret) == 200


def test_a_ticket_whose_portfolio_was_deleted_meanwhile_shows_nothing(service: Running) -> None:
    told = opened(service.client("alice"))
    secret = ticket(service, told["portfolio_id"])
    service.client("alice").delete(f"/api/v1/portfolios/{told['portfolio_id']}")
    assert opens(service, f"/api/v1/onboarding/status/{told['portfolio_id']}/events", secret) == 404
