"""S2: tokens of an outside issuer with a key set: no other right is needed, and none can be claimed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from glassfolio.clock import SystemClock
from glassfolio.identity.keyset import COOLDOWN_SECONDS, DEAD_SECONDS
from tests.contracts.running import Running, ShiftedClock, make_settings, running, stored, wait_for
from tests.databases import shared_database
from tests.fakes.issuer import Answer, FakeIssuer, some_key

PARTY = "https://app.example.com"
PORTFOLIOS = "/api/v1/portfolios"
AWAY: Answer = (503, {}, b"")


@contextmanager
def serving(fake: FakeIssuer, folder: Path, url: str | None = None, **changes: Any) -> Iterator[Running]:
    given = {"jwks_url": fake.url, "jwt_parties": (PARTY,), **changes}
    settings = make_settings(folder, url, auth="jwt", jwt_issuer=fake.issuer, **given)
    with running(settings, worker=False, clock=ShiftedClock(SystemClock().now())) as service:
        yield service


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeIssuer]:
    with FakeIssuer() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(
    request: pytest.FixtureRequest, fake: FakeIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("outside")
    with shared_database(request, folder) as url, serving(fake, folder, url) as started:
        yield started


def now(service: Running) -> float:
    return service.parts.clock.now().timestamp()


def ask(
    service: Running, fake: FakeIssuer, method: str = "GET", path: str = PORTFOLIOS, **changes: Any
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {fake.token(now(service), **changes)}"}
    return service.anonymous().request(method, path, headers=headers)


def test_a_token_of_the_issuer_is_enough_and_its_subject_owns_what_it_uploads(
    service: Running, fake: FakeIssuer
) -> None:
    bearer = {"Authorization": f"Bearer {fake.token(now(service), sub='user_anna')}"}
    with httpx.Client(base_url=service.url, headers=bearer, timeout=30) as anna:
        portfolio_id = stored(anna)
    assert ask(service, fake, sub="user_anna").json()[0]["portfolio_id"] == portfolio_id
    assert ask(service, fake, path=f"{PORTFOLIOS}/{portfolio_id}", sub="user_ben").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"azp": "https://evil.example"},
        {"azp": None},
        {"iss": "https://clerk.evil.example"},
        {"sts": "pending"},
        {"sub": "alice"},
        {"sid": None},
        {"exp": 1},
        {"key": some_key(1)},
        {"act": "somebody"},
    ],
    ids=str,
)
def test_a_token_that_does_not_hold_is_the_401_of_no_token(
    service: Running, fake: FakeIssuer, changes: dict[str, Any]
) -> None:
    nobody = service.anonymous().get(PORTFOLIOS)
    refused = ask(service, fake, **changes)
    assert refused.status_code == nobody.status_code == 401
    kept = [(k, v) for k, v in refused.headers.items() if k != "date"]
    assert kept == [(k, v) for k, v in nobody.headers.items() if k != "date"]
    one, other = refused.json(), nobody.json()
    assert one.pop("request_id") != other.pop("request_id")
    assert one == other


def test_the_built_in_issuer_is_not_at_home(service: Running) -> None:
    """No key is made, no link opens, no password form, no key set."""
    assert not (service.parts.settings.data_dir / "issuer.pem").exists()
    nobody = service.anonymous()
    assert nobody.get("/.well-known/jwks.json").status_code == 404
    own = {"Origin": service.url}
    for method, path in (
        ("GET", "/sign-in/abc"),
        ("POST", "/sign-in"),
        ("POST", "/sign-out"),
        ("GET", "/account"),
        ("POST", "/account/password"),
    ):
        assert nobody.request(method, path, headers=own).status_code == 404, path
    assert "password" not in nobody.get("/").text


ACT = {"sub": "user_support"}


class TestActors:
    def test_whoever_acts_in_anothers_place_may_look_and_is_noted(
        self, service: Running, fake: FakeIssuer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "glassfolio.audit")
        assert ask(service, fake, sub="user_anna", act=ACT).status_code == 200
        (noted,) = (r.getMessage() for r in caplog.records if r.name == "glassfolio.audit")
        assert noted == f"user_support for user_anna looks at GET {PORTFOLIOS}"

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_but_changes_nothing(
        self, service: Running, fake: FakeIssuer, method: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "glassfolio.audit")
        owner = f"user_{method}"
        bearer = {"Authorization": f"Bearer {fake.token(now(service), sub=owner)}"}
        with httpx.Client(base_url=service.url, headers=bearer) as client:
            kept = stored(client)
        path = PORTFOLIOS if method == "POST" else f"{PORTFOLIOS}/{kept}"
        reply = ask(service, fake, method, path, sub=owner, act=ACT)
        assert (reply.status_code, reply.json()["code"]) == (403, "LOOKING_ONLY")
        assert f"user_support for {owner} is refused at" in caplog.text
        (left,) = ask(service, fake, sub=owner).json()
        assert left["portfolio_id"] == kept


class TestPages:
    def cookie(self, token: str) -> dict[str, str]:
        return {"Cookie": f"__session={token}", "Accept": "text/html"}

    def test_a_page_reads_the_issuers_cookie(self, service: Running, fake: FakeIssuer) -> None:
        token = fake.token(now(service), sub="user_dora")
        shown = service.anonymous().get("/", headers=self.cookie(token))
        assert shown.status_code == 200
        assert "user_dora" in shown.text
        assert "/sign-out" not in shown.text

    @pytest.mark.parametrize("token", ["", "x", "a.b.c"])
    def test_without_a_good_one_it_says_where_to_sign_in(self, service: Running, token: str) -> None:
        shown = service.anonymous().get("/", headers=self.cookie(token))
        assert shown.status_code == 200
        assert f'href="{PARTY}"' in shown.text
        assert "user_" not in shown.text

    def test_one_that_has_expired_shows_no_data(self, service: Running, fake: FakeIssuer) -> None:
        token = fake.token(now(service) - 70, sub="user_dora")
        assert "user_dora" not in service.anonymous().get("/", headers=self.cookie(token)).text

    def test_a_page_gets_the_issuers_own_token_back_for_its_requests(
        self, service: Running, fake: FakeIssuer
    ) -> None:
        token = fake.token(now(service), sub="user_dora")
        headers = {"Cookie": f"__session={token}", "Origin": service.url}
        told = service.anonymous().post("/session/token", headers=headers).json()
        assert told["token"] == token
        assert 55 <= told["expires_in"] <= 60
        assert service.anonymous().post("/session/token", headers={"Origin": service.url}).status_code == 401

    def test_who_looks_in_anothers_place_is_told_and_noted(
        self, service: Running, fake: FakeIssuer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "glassfolio.audit")
        token = fake.token(now(service), sub="user_dora", act={"sub": "user_support"})
        shown = service.anonymous().get("/", headers=self.cookie(token))
        assert "user_support is looking in place of user_dora" in shown.text
        assert "user_support for user_dora looks at GET /" in caplog.text


def test_after_a_day_without_the_issuer_nobody_comes_in_and_the_service_is_not_ready(tmp_path: Path) -> None:
    with FakeIssuer() as fake, serving(fake, tmp_path) as service:
        clock = service.parts.clock
        assert isinstance(clock, ShiftedClock)
        keys = service.parts.verifier.keys
        wait_for(keys.alive)
        assert service.anonymous().get("/readyz").json()["keys"] is True
        fake.answer = lambda: AWAY
        clock.move(timedelta(seconds=DEAD_SECONDS - 60))
        assert ask(service, fake).status_code == 200
        assert service.anonymous().get("/readyz").json()["keys"] is True
        clock.move(timedelta(seconds=60))
        assert ask(service, fake).status_code == 401
        ready = service.anonymous().get("/readyz")
        assert (ready.status_code, ready.json()["keys"]) == (503, False)
        fake.answer = None
        clock.move(timedelta(seconds=COOLDOWN_SECONDS))
        wait_for(keys.alive)
        assert ask(service, fake).status_code == 200


def test_a_rotation_is_followed_and_the_old_keys_tokens_are_refused_at_once(tmp_path: Path) -> None:
    with FakeIssuer() as fake, serving(fake, tmp_path) as service:
        clock = service.parts.clock
        assert isinstance(clock, ShiftedClock)
        old = {"Authorization": f"Bearer {fake.token(now(service), exp=int(now(service)) + 600)}"}
        assert service.anonymous().get(PORTFOLIOS, headers=old).status_code == 200
        fake.keys = {"two": some_key(1)}
        clock.move(timedelta(seconds=COOLDOWN_SECONDS))
        assert ask(service, fake, key_id="two").status_code == 200
        assert service.anonymous().get(PORTFOLIOS, headers=old).status_code == 401


def test_a_public_key_serves_instead_of_a_key_set(tmp_path: Path) -> None:
    with FakeIssuer() as fake:
        pem = some_key().as_pem(private=False).decode()
        with serving(fake, tmp_path, jwks_url=None, jwt_public_key=pem) as service:
            assert ask(service, fake).status_code == 200
            assert fake.hits == 0


def test_the_key_set_of_one_installation_lets_its_tokens_into_another(idle: Running, tmp_path: Path) -> None:
    """The built-in issuer is an issuer like any other."""
    settings = make_settings(
        tmp_path,
        auth="jwt",
        jwt_issuer="glassfolio:local",
        jwks_url=f"{idle.url}/.well-known/jwks.json",
        jwt_parties=(idle.parts.settings.address,),
    )
    with running(settings, worker=False) as other:
        bearer = {"Authorization": f"Bearer {idle.token('alice')}"}
        assert other.anonymous().get(PORTFOLIOS, headers=bearer).status_code == 200
