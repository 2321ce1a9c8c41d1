"""B9: what browsers are told: the content policy, the other headers, same-origin forms, CORS, escaping."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from glassfolio.web import pages
from tests.contracts.running import Running, make_settings, running, stored
from tests.web.browser import Browser

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HTML = {"Accept": "text/html"}
OTHER = "https://front.example.com"


@pytest.fixture
def browser(idle: Running) -> Iterator[Browser]:
    with Browser(idle) as made:
        yield made


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ["/", "/sign-in", "/account", "/nothing", "/sign-in/spent", "/portfolios/x/y/z"]
    )
    def test_every_page_has_them_whoever_looks(self, browser: Browser, path: str) -> None:
        for _who in ("nobody", "alice"):
            headers = browser.get(path).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"
            assert headers["vary"] == "Cookie"
            powers = dict(item.split("=") for item in headers["permissions-policy"].split(", "))
            assert {"camera", "geolocation", "microphone", "payment", "usb"} <= set(powers)
            assert set(powers.values()) == {"()"}
            browser.open_link()

    def test_the_policy_names_the_hosts_of_the_settings_and_nothing_unsafe(self, tmp_path: Path) -> None:
        settings = make_settings(tmp_path, csp_hosts="https://clerk.example.com,https://img.example.com")
        with running(settings, worker=False) as service:
            policy = service.anonymous().get("/", headers=HTML).headers["content-security-policy"]
        hosts = " https://clerk.example.com https://img.example.com"
        expected = POLICY.replace("script-src 'self'", f"script-src 'self'{hosts}")
        expected = expected.replace("connect-src 'self'", f"connect-src 'self'{hosts}")
        assert policy == expected.replace("'self' data:", f"'self' data:{hosts}")
        assert "unsafe" not in policy

    def test_what_is_no_page_is_not_to_be_guessed_either(self, idle: Running) -> None:
        for path in ("/api/v1/portfolios", "/healthz", "/static/base.css", "/api/v1/onboarding/csv-template"):
            assert idle.anonymous().get(path).headers["x-content-type-options"] == "nosniff", path

    def test_the_frameworks_own_pages_are_not_there(self, idle: Running) -> None:
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert idle.anonymous().get(path, headers=HTML).status_code == 404


class TestTemplates:
    def test_none_needs_what_the_policy_forbids(self) -> None:
        """No script or style inside a page, no handler in an attribute, nothing from elsewhere."""
        for path in sorted((pages.HERE / "templates").glob("*.html")):
            text = path.read_text("utf-8")
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), path.name
            assert not re.search(r"<script(?![^>]*\ssrc=)", text), path.name
            assert "|safe" not in text.replace(" ", ""), path.name
            assert not re.search(r"(?:src|href)=\"(?!/|#|\{\{)", text), path.name
        for path in sorted((pages.HERE / "static").glob("*.js")):
            text = path.read_text("utf-8")
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)

    def test_everything_is_escaped(self, browser: Browser) -> None:
        browser.open_link("escape")
        with httpx.Client(base_url=browser.service.url, headers=browser.bearer()) as client:
            stored(client, name='<img src=x onerror="alert(1)">', account_name="'\"><b>")
        shown = browser.get("/").text
        assert "<img" not in shown
        assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;" in shown
        assert "<b>" not in shown

    def test_a_name_that_is_not_given_is_an_error_and_not_nothing(self) -> None:
        with pytest.raises(Exception, match="undefined"):
            pages.TEMPLATES.from_string("{{ missing }}").render()


class TestErrorPages:
    def test_a_person_gets_a_page_and_a_program_a_problem(self, idle: Running) -> None:
        page = idle.anonymous().get("/nothing", headers=HTML)
        assert page.status_code == 404
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "There is nothing here for you." in page.text
        problem = idle.anonymous().get("/nothing")
        assert problem.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/portfolios", "/static/nothing.css"])
    def test_what_programs_ask_for_stays_a_problem(self, idle: Running, path: str) -> None:
        reply = idle.anonymous().get(path, headers=HTML)
        assert reply.status_code in (401, 404)
        assert "html" not in reply.headers["content-type"]

    def test_the_status_and_what_to_do_stay(self, idle: Running) -> None:
        page = idle.anonymous().put("/sign-in", headers=HTML)
        assert page.status_code == 405
        assert page.headers["allow"]
        assert "Method Not Allowed" in page.text

    def test_an_error_that_nobody_expected_is_a_page_too(self, tmp_path: Path) -> None:
        """A row that makes no sense stands for whatever may break."""
        with running(make_settings(tmp_path), worker=False) as service, Browser(service) as browser:
            browser.open_link()
            stored(service.client("alice"))
            with service.parts.database.transaction() as connection:
                connection.exec_driver_sql("UPDATE portfolio SET created_at = 'nonsense'")
            page = browser.get("/")
            assert page.status_code == 500
            assert page.headers["content-security-policy"] == POLICY
            assert "give the operator the request id" in page.text
            assert re.search(r"Request [0-9a-f-]{36}", page.text)

    def test_without_a_sign_in_the_page_is_the_way_in(self, idle: Running) -> None:
        page = idle.anonymous().get("/account", headers=HTML)
        assert page.status_code == 401
        assert "<h1>Sign in</h1>" in page.text


FORMS = ("/sign-in", "/sign-out", "/account/password", "/session/token")


class TestSameOrigin:
    @pytest.mark.parametrize("path", FORMS)
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": ""},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
            {"Referer": "{own}/"},
        ],
        ids=str,
    )
    def test_what_another_page_sends_is_refused(
        self, browser: Browser, path: str, headers: dict[str, str]
    ) -> None:
        browser.open_link("own")
        kept = browser.cookie
        given = {name: value.format(own=browser.service.url) for name, value in headers.items()}
        reply = browser.client.post(path, data={"everywhere": "on"}, headers=given | {"Accept": "*/*"})
        assert (reply.status_code, reply.json()["code"]) == (403, "CROSS_SITE")
        assert browser.cookie == kept
        assert browser.is_signed_in()

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "{own}"},
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "{own}"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        ],
        ids=str,
    )
    def test_what_our_own_pages_send_passes(self, browser: Browser, headers: dict[str, str]) -> None:
        browser.open_link("own")
        given = {name: value.format(own=browser.service.url) for name, value in headers.items()}
        assert browser.client.post("/session/token", headers=given).status_code == 200

    def test_behind_a_proxy_the_origin_is_the_public_one(self, tmp_path: Path) -> None:
        settings = make_settings(tmp_path, public_url="https://glass.example.com")
        with running(settings, worker=False) as service:
            secret = service.parts.signing_in.open_link(service.parts.signing_in.make_link("a"), None)
            headers = {"Cookie": f"__Host-session={secret}", "Origin": "https://glass.example.com"}
            assert service.anonymous().post("/session/token", headers=headers).status_code == 200

    def test_every_form_is_checked(self, browser: Browser) -> None:
        """What pages post to is in the list above."""
        posted = {
            action
            for path in (pages.HERE / "templates").glob("*.html")
            for action in re.findall(r'method="post" action="([^"]+)"', path.read_text("utf-8"))
        }
        assert posted <= set(FORMS)


@pytest.fixture(scope="module")
def open_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that lets two other front ends in."""
    settings = make_settings(tmp_path_factory.mktemp("cors"), origins=f"{OTHER},http://localhost:3000")
    with running(settings, worker=False) as service:
        yield service


class TestOtherOrigins:
    def test_without_any_in_the_settings_none_is_told_anything(self, idle: Running) -> None:
        reply = idle.anonymous().get("/healthz", headers={"Origin": OTHER})
        assert "access-control-allow-origin" not in reply.headers

    def test_a_listed_origin_may_read_and_sees_the_headers_it_needs(self, open_service: Running) -> None:
        reply = open_service.client().get("/api/v1/portfolios", headers={"Origin": OTHER})
        assert reply.headers["access-control-allow-origin"] == OTHER
        assert "access-control-allow-credentials" not in reply.headers
        shown = {name.strip() for name in reply.headers["access-control-expose-headers"].split(",")}
        assert {"ETag", "Retry-After", "Location"} <= shown
        assert "Origin" in reply.headers["vary"]

    def test_errors_can_be_read_too(self, open_service: Running) -> None:
        for path in ("/api/v1/portfolios", "/nothing"):
            reply = open_service.anonymous().get(path, headers={"Origin": OTHER})
            assert reply.status_code in (401, 404)
            assert reply.headers["access-control-allow-origin"] == OTHER

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", OTHER + ".evil.example", "http://front.example.com", "null", OTHER + "/"],
    )
    def test_others_may_not(self, open_service: Running, origin: str) -> None:
        reply = open_service.client().get("/api/v1/portfolios", headers={"Origin": origin})
        assert "access-control-allow-origin" not in reply.headers

    def test_a_preflight_says_what_may_be_sent(self, open_service: Running) -> None:
        asked = {
            "Origin": OTHER,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,idempotency-key",
        }
        reply = open_service.anonymous().options("/api/v1/portfolios", headers=asked)
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == OTHER
        assert "DELETE" in reply.headers["access-control-allow-methods"]
        refused = open_service.anonymous().options(
            "/api/v1/portfolios", headers=asked | {"Origin": "https://evil.example"}
        )
        assert refused.status_code == 400

    def test_being_listed_lets_no_form_in(self, open_service: Running) -> None:
        with Browser(open_service) as browser:
            browser.open_link()
            reply = browser.client.post("/session/token", headers={"Origin": OTHER})
            assert reply.status_code == 403


def test_templates_and_styles_are_part_of_the_package() -> None:
    names = {path.name for path in (pages.HERE / "templates").iterdir()}
    assert {"base.html", "home.html", "sign_in.html", "account.html", "error.html"} <= names
    assert {path.name for path in (pages.HERE / "static").iterdir()} >= {"base.css", "session.js", "icon.svg"}
