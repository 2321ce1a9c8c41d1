"""Settings of identity and of the night: what must go together, and what is refused at the start."""

from datetime import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from glassfolio.errors import SettingsError
from glassfolio.identity.origin import is_confidential, is_loopback, is_origin
from glassfolio.settings import load

OUTSIDE: dict[str, Any] = {
    "auth": "jwt",
    "jwt_issuer": "https://clerk.example.com",
    "jwks_url": "https://clerk.example.com/jwks",
    "jwt_parties": "https://app.example.com",
}


def refused(**given: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**given)
    return str(caught.value)


class TestOutsideIssuer:
    def test_a_whole_one_is_taken(self) -> None:
        settings = load(**OUTSIDE)
        assert settings.jwt_parties == ("https://app.example.com",)
        assert load(**OUTSIDE | {"jwt_parties": "a, b,,"}).jwt_parties == ("a", "b")

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"jwt_issuer": ""}, "JWT_ISSUER"),
            ({"jwks_url": ""}, "JWKS_URL and JWT_PUBLIC_KEY"),
            ({"jwt_public_key": "PEM"}, "JWKS_URL and JWT_PUBLIC_KEY"),
            ({"jwt_parties": ""}, "JWT_PARTIES"),
            ({"auth": "none"}, "AUTH"),
        ],
    )
    def test_one_with_a_gap_is_named(self, changes: dict[str, str], named: str) -> None:
        assert named in refused(**OUTSIDE | changes)

    def test_a_public_key_instead_of_a_key_set_and_no_party_where_that_is_allowed(self) -> None:
        assert load(**OUTSIDE | {"jwks_url": "", "jwt_public_key": "PEM"}).jwks_url is None
        assert load(**OUTSIDE | {"jwt_parties": "", "jwt_allow_missing_azp": "true"}).jwt_parties == ()

    def test_the_defaults_let_nobody_more_in(self) -> None:
        settings = load()
        assert settings.auth == "local"
        assert not settings.jwt_allow_missing_azp
        assert settings.admins == settings.origins == settings.trusted_proxies == settings.csp_hosts == ()


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            "https://glass.example.com",
            "https://glass.example.com:8443/",
            "http://127.0.0.1:8000",
            "http://[::1]:80",
            "",
        ],
    )
    def test_a_public_address(self, url: str) -> None:
        assert load(public_url=url).address == (url.rstrip("/") or "http://127.0.0.1:8000")

    @pytest.mark.parametrize(
        "url",
        [
            "http://glass.example.com",
            "glass.example.com",
            "https://glass.example.com/app",
            "https://user:pw@glass.example.com",
            "https://Glass.example.com",
            "https://glass.example.com?x",
            "ftp://127.0.0.1",
            "https://",
        ],
    )
    def test_one_that_cannot_be_is_refused(self, url: str) -> None:
        said = refused(public_url=url)
        assert "PUBLIC_URL" in said
        assert url not in said.replace("https://", "", 1) or url == "https://"

    def test_without_one_it_is_where_the_service_listens(self) -> None:
        assert load(host="::1", port=1).address == "http://[::1]:1"
        assert load(host="localhost", port=1).address == "http://localhost:1"

    @pytest.mark.parametrize("name", ["origins", "csp_hosts"])
    @pytest.mark.parametrize(
        "value",
        [
            "*",
            "https://*.example.com",
            "https://a.example/",
            "null",
            "a.example",
            "'unsafe-inline'",
            "https://a.example;x",
        ],
    )
    def test_other_origins_are_exact(self, name: str, value: str) -> None:
        assert name.upper() in refused(**{name: f"https://fine.example,{value}"})

    def test_trusted_proxies_are_addresses_or_networks(self) -> None:
        given = load(trusted_proxies="10.0.0.0/8, 127.0.0.1,::1").trusted_proxies
        assert given == (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"), ip_network("::1/128"))
        for wrong in ("proxy.example.com", "10.0.0.1/8", "*"):
            assert "TRUSTED_PROXIES" in refused(trusted_proxies=wrong)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_an_origin_is_as_browsers_write_it() -> None:
    fine = ("https://a.example", "http://localhost:3000", "https://a-b.example:65535", "http://[::1]:8000")
    assert all(map(is_origin, fine))
    wrong = (
        "https://a.example/",
        "https://A.example",
        "https://a b",
        "https://a.example\n",
        "//a",
        "https://é",
    )
    assert not any(map(is_origin, wrong))


def test_what_can_be_read_on_the_way_is_not_confidential() -> None:
    assert all(map(is_confidential, ("https://a.example/x?y", "http://127.0.0.1:1/x", "http://localhost")))
    wrong = ("http://a.example", "https://", "http://", "https://[", "ws://127.0.0.1", "127.0.0.1")
    assert not any(map(is_confidential, wrong))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "18:30",
        "25:00 America/New_York",
        "18:60 UTC",
        "18:30 Mars/Base",
        "18:30 ../etc",
        "18:30 /etc",
        "Off",
    ],
)
def test_a_night_that_cannot_be_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="GLASSFOLIO_NIGHTLY"):
        load(data_dir=tmp_path, nightly=value)


def test_the_night_is_an_hour_by_the_clocks_of_a_zone(tmp_path: Path) -> None:
    assert load(data_dir=tmp_path).night == (time(18, 30), ZoneInfo("America/New_York"))
    assert load(data_dir=tmp_path, nightly="06:05 UTC").night == (time(6, 5), ZoneInfo("UTC"))
    assert load(data_dir=tmp_path, nightly="off").night is None
