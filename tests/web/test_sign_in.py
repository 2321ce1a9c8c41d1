"""Signing in without an outside issuer: links, cookies, short tokens, passwords, and signing out."""

import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from glassfolio.clock import SystemClock
from glassfolio.db import tables
from glassfolio.identity.opaque import digest
from tests.contracts.running import Running, ShiftedClock, make_settings, running, stored
from tests.databases import shared_database
from tests.web.browser import Browser

PASSWORD = "correct horse battery"
PORTFOLIOS = "/api/v1/portfolios"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("signing")
    with shared_database(request, folder) as url:
        settings = make_settings(folder, url)
        with running(settings, worker=False, clock=ShiftedClock(SystemClock().now())) as started:
            yield started


@pytest.fixture
def browser(service: Running) -> Iterator[Browser]:
    with Browser(service) as made:
        yield made


@pytest.fixture
def other(service: Running) -> Iterator[Browser]:
    with Browser(service) as made:
        yield made


def move(service: Running, by: timedelta) -> None:
    clock = service.parts.clock
    assert isinstance(clock, ShiftedClock)
    clock.move(by)


def rows(service: Running, table: sa.Table) -> list[str]:
    """Everything in a table, as text."""
    with service.parts.database.reading() as connection:
        return [str(dict(row._mapping)) for row in connection.execute(sa.select(table))]


class TestLinks:
    def test_opening_one_signs_in_and_leads_to_the_portfolios(self, browser: Browser) -> None:
        reply = browser.open_link("alice")
        assert (reply.status_code, reply.headers["location"]) == (303, "/")
        shown = browser.get("/")
        assert "Portfolios" in shown.text
        assert "alice" in shown.text

    def test_the_cookie_is_for_the_service_only_and_out_of_reach_of_scripts(self, browser: Browser) -> None:
        (cookie,) = SimpleCookie(browser.open_link().headers["set-cookie"]).values()
        assert cookie.key == "session"
        assert re.fullmatch(r"[\w-]{43}", cookie.value)
        assert cookie["httponly"]
        assert cookie["samesite"] == "lax"
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert not cookie["secure"]
        assert cookie["max-age"] == str(7 * 24 * 3600)

    def test_over_https_the_cookie_has_the_name_that_browsers_protect(self, tmp_path: Path) -> None:
        settings = make_settings(tmp_path, public_url="https://glass.example.com")
        with running(settings, worker=False) as secure, Browser(secure) as browser:
            (cookie,) = SimpleCookie(browser.open_link().headers["set-cookie"]).values()
            assert cookie.key == "__Host-session"
            assert cookie["secure"]
            assert cookie["path"] == "/"
            assert not cookie["domain"]
            assert "alice" not in browser.get("/", headers={"Cookie": f"session={cookie.value}"}).text
            shown = browser.get("/", headers={"Cookie": f"__Host-session={cookie.value}"})
            assert "alice" in shown.text

    def test_a_link_opens_once(self, service: Running, browser: Browser, other: Browser) -> None:
        path = f"/sign-in/{service.parts.signing_in.make_link('alice')}"
        assert browser.get(path).status_code == 303
        again = other.get(path)
        assert again.status_code == 410
        assert "set-cookie" not in again.headers
        assert "has been used or is too old" in again.text

    def test_of_many_that_open_it_at_once_one_comes_in(self, service: Running) -> None:
        secret = service.parts.signing_in.make_link("alice")
        with ThreadPoolExecutor(8) as pool:
            replies = list(
                pool.map(
                    lambda _n: httpx.get(f"{service.url}/sign-in/{secret}", timeout=30).status_code, range(8)
                )
            )
        assert sorted(replies) == [303] + [410] * 7

    @pytest.mark.parametrize(("age", "status"), [(599, 303), (601, 410)])
    def test_a_link_lives_ten_minutes(
        self, service: Running, browser: Browser, age: int, status: int
    ) -> None:
        path = f"/sign-in/{service.parts.signing_in.make_link('alice')}"
        move(service, timedelta(seconds=age))
        assert browser.get(path).status_code == status

    @pytest.mark.parametrize("secret", ["x", "%00", "é", "a" * 3000, "'--"])
    def test_one_that_never_was_opens_nothing(self, browser: Browser, secret: str) -> None:
        assert browser.get(f"/sign-in/{secret}").status_code in (404, 410)
        assert browser.cookie is None

    def test_the_database_keeps_hashes_only(self, service: Running, browser: Browser) -> None:
        waiting = service.parts.signing_in.make_link("keeper")
        browser.open_link("keeper")
        kept = "".join(rows(service, tables.sign_in) + rows(service, tables.sign_in_link))
        assert browser.cookie is not None
        for secret in (waiting, browser.cookie):
            assert secret not in kept
            assert digest(secret) in kept


class TestCookies:
    def test_signing_in_again_renews_the_cookie_and_ends_the_old_one(self, browser: Browser) -> None:
        browser.open_link()
        old = browser.cookie
        browser.open_link()
        assert browser.cookie != old
        assert browser.is_signed_in()
        browser.client.cookies.clear()
        assert "alice" not in browser.get("/", headers={"Cookie": f"session={old}"}).text

    def test_a_cookie_planted_beforehand_is_worth_nothing_afterwards(self, browser: Browser) -> None:
        browser.client.cookies.set("session", "planted-by-somebody-else", domain="127.0.0.1")
        browser.open_link()
        assert (
            browser.client.get("/", headers={"Cookie": "session=planted-by-somebody-else"}).status_code == 200
        )
        with httpx.Client(base_url=browser.service.url) as thief:
            shown = thief.get("/", headers={"Cookie": "session=planted-by-somebody-else"})
        assert "alice" not in shown.text

    @pytest.mark.parametrize(("days", "signed_in"), [(6.99, True), (7.01, False)])
    def test_a_sign_in_lasts_seven_days(
        self, service: Running, browser: Browser, days: float, signed_in: bool
    ) -> None:
        browser.open_link()
        move(service, timedelta(days=days))
        assert browser.is_signed_in() is signed_in

    def test_signing_out_ends_it_in_the_database(self, browser: Browser) -> None:
        browser.open_link()
        kept = browser.cookie
        reply = browser.post("/sign-out")
        assert (reply.status_code, reply.headers["location"]) == (303, "/")
        assert browser.cookie is None
        again = browser.get("/", headers={"Cookie": f"session={kept}"})
        assert "alice" not in again.text

    def test_signing_out_everywhere_ends_all_of_ones_own(self, browser: Browser, other: Browser) -> None:
        browser.open_link("eve")
        other.open_link("eve")
        with Browser(browser.service) as strangers:
            strangers.open_link("frank")
            browser.post("/sign-out", everywhere="on")
            assert not other.is_signed_in()
            assert strangers.is_signed_in()

    def test_signing_out_here_leaves_the_others(self, browser: Browser, other: Browser) -> None:
        browser.open_link("eve")
        other.open_link("eve")
        browser.post("/sign-out")
        assert other.is_signed_in()

    def test_signing_out_without_a_sign_in_is_no_error(self, browser: Browser) -> None:
        assert browser.post("/sign-out").status_code == 303


class TestShortTokens:
    def test_the_page_exchanges_its_cookie_for_a_minute(self, service: Running, browser: Browser) -> None:
        browser.open_link("gina")
        told = browser.post("/session/token")
        assert told.headers["cache-control"] == "no-store"
        assert told.json()["expires_in"] == 60
        with httpx.Client(base_url=service.url, headers=browser.bearer(), timeout=30) as page:
            mine = stored(page)
        assert mine in browser.get("/").text
        assert service.client("gina").get(f"{PORTFOLIOS}/{mine}").status_code == 200

    def test_a_token_of_a_sign_in_names_it(self, service: Running, browser: Browser) -> None:
        browser.open_link("gina")
        names = {claim(browser.bearer(), "sid") for _ in range(2)}
        assert len(names) == 1
        assert claim(browser.bearer(), "azp") == service.parts.settings.address

    def test_a_token_does_not_outlive_the_sign_in(self, service: Running, browser: Browser) -> None:
        browser.open_link()
        move(service, timedelta(days=7, seconds=-20))
        assert 10 <= browser.post("/session/token").json()["expires_in"] <= 20

    def test_without_a_cookie_there_is_none(self, browser: Browser) -> None:
        reply = browser.post("/session/token")
        assert reply.status_code == 401
        assert reply.json()["code"] == "NOT_SIGNED_IN"

    def test_the_api_takes_no_cookie(self, browser: Browser) -> None:
        browser.open_link()
        assert browser.get(PORTFOLIOS).status_code == 401

    def test_a_bearer_token_is_no_cookie(self, service: Running) -> None:
        headers = {"Cookie": f"session={service.token('alice')}", "Sec-Fetch-Site": "same-origin"}
        assert service.anonymous().post("/session/token", headers=headers).status_code == 401


def claim(bearer: dict[str, str], name: str) -> object:
    body = bearer["Authorization"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=="))[name]


class TestPasswords:
    def set_up(self, browser: Browser, subject: str) -> None:
        browser.open_link(subject)
        saved = browser.post("/account/password", wanted=PASSWORD)
        assert saved.status_code == 200, saved.text
        assert "The password is set." in saved.text

    def test_there_is_no_password_until_one_is_set(self, browser: Browser) -> None:
        for subject, password in (("local", ""), ("local", "local"), ("admin", "admin"), ("", "")):
            assert browser.post("/sign-in", subject=subject, password=password).status_code == 403
        assert browser.cookie is None

    def test_a_password_set_after_a_link_lets_one_in_without(
        self, service: Running, browser: Browser, other: Browser
    ) -> None:
        self.set_up(browser, "henry")
        reply = other.post("/sign-in", subject="henry", password=PASSWORD)
        assert (reply.status_code, reply.headers["location"]) == (303, "/")
        assert "henry" in other.get("/").text
        kept = "".join(rows(service, tables.password))
        assert PASSWORD not in kept
        assert "$argon2id$" in kept

    def test_a_wrong_one_is_told_without_saying_what_was_wrong(
        self, browser: Browser, other: Browser
    ) -> None:
        self.set_up(browser, "irene")
        wrong = other.post("/sign-in", subject="irene", password=PASSWORD + "x")
        unknown = other.post("/sign-in", subject="nobody-of-this-name", password=PASSWORD)
        assert (wrong.status_code, unknown.status_code) == (403, 403)
        assert wrong.text.replace("irene", "") == unknown.text.replace("nobody-of-this-name", "")
        assert other.cookie is None

    def test_five_wrong_ones_close_the_door_for_a_quarter_of_an_hour(
        self, service: Running, browser: Browser, other: Browser
    ) -> None:
        self.set_up(browser, "julia")
        for _try in range(5):
            assert other.post("/sign-in", subject="julia", password="wrong wrong wrong").status_code == 403
        closed = other.post("/sign-in", subject="julia", password=PASSWORD)
        assert closed.status_code == 429
        assert 1 <= int(closed.headers["retry-after"]) <= 900
        assert "Too many wrong passwords" in closed.text
        self_again = other.post("/sign-in", subject="kurt", password="wrong wrong wrong")
        assert self_again.status_code == 403
        move(service, timedelta(seconds=int(closed.headers["retry-after"]) - 10))
        assert other.post("/sign-in", subject="julia", password=PASSWORD).status_code == 429
        move(service, timedelta(seconds=11))
        assert other.post("/sign-in", subject="julia", password=PASSWORD).status_code == 303

    def test_a_right_one_forgives_the_wrong_ones(self, browser: Browser, other: Browser) -> None:
        self.set_up(browser, "laura")
        for _round in range(2):
            for _try in range(4):
                other.post("/sign-in", subject="laura", password="wrong wrong wrong")
            assert other.post("/sign-in", subject="laura", password=PASSWORD).status_code == 303

    def test_tries_at_the_same_time_are_counted_one_by_one(self, service: Running) -> None:
        def attempt(_number: int) -> int:
            return httpx.post(
                f"{service.url}/sign-in",
                data={"subject": "mallory-target", "password": "wrong wrong wrong"},
                headers={"Sec-Fetch-Site": "same-origin"},
                timeout=60,
            ).status_code

        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(attempt, range(16)))
        assert sorted(replies) == [403] * 5 + [429] * 11

    def test_the_wrong_tries_of_one_address_do_not_keep_another_out(self, tmp_path: Path) -> None:
        settings = make_settings(tmp_path, trusted_proxies="127.0.0.1")
        with running(settings, worker=False) as proxied, Browser(proxied) as browser:
            self.set_up(browser, "nora")

            def attempt(address: str, password: str) -> int:
                headers = {"X-Forwarded-For": address, "Sec-Fetch-Site": "same-origin"}
                form = {"subject": "nora", "password": password}
                return proxied.anonymous().post("/sign-in", data=form, headers=headers).status_code

            for _try in range(5):
                attempt("203.0.113.7", "wrong wrong wrong")
            assert attempt("203.0.113.7", PASSWORD) == 429
            assert attempt("198.51.100.1", PASSWORD) == 303

    def test_setting_one_ends_the_other_sign_ins(self, browser: Browser, other: Browser) -> None:
        other.open_link("oscar")
        self.set_up(browser, "oscar")
        assert browser.is_signed_in()
        assert not other.is_signed_in()

    def test_who_came_by_password_must_know_it_to_change_it(self, browser: Browser, other: Browser) -> None:
        self.set_up(browser, "paula")
        other.post("/sign-in", subject="paula", password=PASSWORD)
        assert "Password so far" in other.get("/account").text
        new = "a new password indeed"
        assert other.post("/account/password", current="wrong", wanted=new).status_code == 403
        assert other.post("/account/password", current=PASSWORD, wanted=new).status_code == 200
        with Browser(browser.service) as third:
            assert third.post("/sign-in", subject="paula", password=PASSWORD).status_code == 403
            assert third.post("/sign-in", subject="paula", password=new).status_code == 303

    @pytest.mark.parametrize(
        ("wanted", "status"),
        [("", 422), ("x" * 11, 422), ("x" * 12, 200), ("x" * 256, 200), ("x" * 257, 422)],
    )
    def test_a_password_has_12_to_256_characters(self, browser: Browser, wanted: str, status: int) -> None:
        browser.open_link("quentin")
        assert browser.post("/account/password", wanted=wanted).status_code == status

    def test_the_same_characters_are_the_same_password_however_they_were_typed(
        self, browser: Browser, other: Browser
    ) -> None:
        browser.open_link("rené")
        browser.open_link("rene")
        browser.post("/account/password", wanted="cafe\u0301 cafe\u0301 cafe\u0301")
        assert other.post("/sign-in", subject="rene", password="café café café").status_code == 303

    def test_only_who_is_signed_in_has_an_account_page(self, browser: Browser) -> None:
        assert browser.get("/account").status_code == 401
        assert browser.post("/account/password", wanted=PASSWORD).status_code == 401
        assert "Sign in" in browser.get("/account").text


class TestForms:
    @pytest.mark.parametrize(
        "body",
        [
            b"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9",
            b"subject=" + b"x" * 9000,
            "subject=é".encode(),
            b"subject=%ff",
        ],
        ids=["many fields", "large", "not ASCII", "not unicode"],
    )
    def test_what_no_form_of_ours_sends_is_refused(self, browser: Browser, body: bytes) -> None:
        reply = browser.client.post("/sign-in", content=body, headers={"Sec-Fetch-Site": "same-origin"})
        assert reply.status_code == 422

    def test_what_was_typed_comes_back_as_text_only(self, browser: Browser) -> None:
        shown = browser.post("/sign-in", subject='"><script>alert(1)</script>', password="wrong wrong wrong")
        assert "<script>" not in shown.text
        assert "&lt;script&gt;" in shown.text

    def test_the_way_in_leads_on_who_is_in(self, browser: Browser) -> None:
        assert browser.get("/sign-in").status_code == 200
        browser.open_link()
        reply = browser.get("/sign-in")
        assert (reply.status_code, reply.headers["location"]) == (303, "/")
