"""S2: what a token must say, claim by claim: missing, of the wrong kind, or off by a second."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.identity.claims import Disbelieved, Identity, Rules, accept, is_clerk, outside_rules

NOW = 1_767_992_400.0
ISSUER = "https://clerk.example.com"
PARTY = "https://app.example.com"
CLERK = outside_rules(ISSUER, frozenset({PARTY}), allow_missing_party=False, audience=None)
OTHER = outside_rules(
    "https://login.example.com/realm", frozenset({PARTY}), allow_missing_party=False, audience=None
)


def claims(rules: Rules = CLERK, **changes: Any) -> dict[str, Any]:
    whole = {
        "iss": rules.issuer,
        "sub": "user_2abcDEF",
        "sid": "sess_1",
        "azp": PARTY,
        "exp": NOW + 60,
        "iat": NOW,
        "nbf": NOW,
    }
    whole |= changes
    return {name: value for name, value in whole.items() if value is not None}


def is_believed(whole: dict[str, Any], rules: Rules = CLERK, now: float = NOW) -> bool:
    try:
        accept(whole, rules, now)
    except Disbelieved:
        return False
    return True


def test_claims_as_they_should_be_prove_an_identity() -> None:
    assert accept(claims(), CLERK, NOW) == Identity("user_2abcDEF", "sess_1", NOW + 60)


def test_claims_of_no_concern_are_ignored() -> None:
    more = {"fva": [0, -1], "jti": "x", "o": {"id": "org_1", "rol": "admin"}, "v": 2, "aud": "anything"}
    assert is_believed(claims() | more)


@pytest.mark.parametrize("name", ["iss", "sub", "sid", "azp", "exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", [None, "", 7, 7.5, True, [], {}, ["x"], {"x": 1}], ids=lambda value: json.dumps(value)
)
def test_a_required_claim_that_is_missing_or_of_another_kind_is_not_believed(name: str, value: Any) -> None:
    """A number is no date of now either: 7 is in 1970."""
    assert not is_believed(claims(**{name: value})) or (name in ("iat", "nbf") and value in (7, 7.5))


def test_a_claim_that_is_null_is_not_believed() -> None:
    for name in ("iss", "sub", "sid", "azp", "exp", "iat", "nbf", "sts", "act"):
        assert not is_believed(claims() | {name: None}), name


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**400, "1767992400"], ids=str)
def test_a_date_is_a_number_of_this_world(name: str, value: Any) -> None:
    assert not is_believed(claims(**{name: value}))


@pytest.mark.parametrize(
    ("changes", "believed"),
    [
        ({"exp": NOW - 5}, True),
        ({"exp": NOW - 6}, False),
        ({"exp": NOW - 4}, True),
        ({"nbf": NOW + 5}, True),
        ({"nbf": NOW + 6}, False),
        ({"nbf": NOW + 4}, True),
        ({"iat": NOW + 5}, True),
        ({"iat": NOW + 6}, False),
        ({"iat": NOW + 4}, True),
        ({"exp": NOW + 3600}, True),
        ({"exp": NOW + 3601}, False),
        ({"exp": NOW + 3600, "iat": NOW - 1}, False),
        ({"exp": NOW + 1, "iat": NOW - 3599}, True),
        ({"exp": NOW + 0.5, "nbf": NOW - 0.5}, True),
    ],
)
def test_the_leeway_is_five_seconds_and_a_life_an_hour(changes: dict[str, Any], believed: bool) -> None:
    assert is_believed(claims(**changes)) is believed


@pytest.mark.parametrize(
    "issuer", [ISSUER + "/", ISSUER.upper(), ISSUER[:-1], "http" + ISSUER[5:], f" {ISSUER}", [ISSUER]]
)
def test_the_issuer_is_exactly_that_of_the_settings(issuer: Any) -> None:
    assert not is_believed(claims(iss=issuer))


class TestParty:
    @pytest.mark.parametrize(
        "party",
        [PARTY + "/", "https://evil.example", PARTY + ".evil.example", [PARTY], {"x": PARTY}, PARTY.upper()],
    )
    def test_only_listed_parties_are_believed(self, party: Any) -> None:
        assert not is_believed(claims(azp=party))
        assert not is_believed(claims(azp=party), replace(CLERK, allow_missing_party=True))

    def test_a_missing_one_only_where_the_settings_allow_it(self) -> None:
        assert not is_believed(claims(azp=None))
        assert is_believed(claims(azp=None), replace(CLERK, allow_missing_party=True))

    def test_any_of_several_is_fine(self) -> None:
        rules = replace(CLERK, parties=frozenset({"a", PARTY}))
        assert is_believed(claims(), rules)
        assert is_believed(claims(azp="a"), rules)


class TestAudience:
    @pytest.mark.parametrize(
        ("said", "believed"),
        [
            ("api", True),
            (["x", "api"], True),
            (["api"], True),
            (None, False),
            ("x", False),
            ("apis", False),
            (["x"], False),
            ([], False),
            ({"api": 1}, False),
            (7, False),
        ],
    )
    def test_it_is_checked_when_the_settings_name_one(self, said: Any, believed: bool) -> None:
        assert is_believed(claims(aud=said), replace(CLERK, audience="api")) is believed

    def test_and_only_then(self) -> None:
        assert is_believed(claims(aud="elsewhere"))


class TestSubject:
    @pytest.mark.parametrize("subject", ["user_a", "user_" + "a" * 64, "user_2ABCxyz0123456789"])
    def test_clerks_subjects(self, subject: str) -> None:
        assert is_believed(claims(sub=subject))

    @pytest.mark.parametrize(
        "subject",
        [
            "user_",
            "user_" + "a" * 65,
            "user_a\n",
            "user_é",
            "org_a",
            " user_a",
            "user_a b",
            "user_a-b",
            "User_a",
            "alice",
        ],
    )
    def test_what_is_none_of_clerks(self, subject: str) -> None:
        assert not is_believed(claims(sub=subject))

    @pytest.mark.parametrize("subject", ["a", "~" * 255, "!x", "auth0|7", "f:1:alice@example.com"])
    def test_subjects_of_others(self, subject: str) -> None:
        assert accept(claims(OTHER, sub=subject), OTHER, NOW).subject == subject

    @pytest.mark.parametrize("subject", ["", "a" * 256, "a b", "a\n", "é", "a\x7f", "\x00", "\u202e"])
    def test_what_nobody_may_be_called(self, subject: str) -> None:
        assert not is_believed(claims(OTHER, sub=subject), OTHER)

    @given(st.text(max_size=300))
    def test_whatever_is_believed_is_short_printable_ascii(self, subject: str) -> None:
        fine = 1 <= len(subject) <= 255 and all("!" <= letter <= "~" for letter in subject)
        assert is_believed(claims(OTHER, sub=subject), OTHER) is fine


class TestSignIn:
    def test_an_issuer_that_sends_none_needs_none(self) -> None:
        assert accept(claims(OTHER, sid=None), OTHER, NOW).sign_in == ""

    def test_what_is_sent_must_be_a_name(self) -> None:
        assert accept(claims(OTHER), OTHER, NOW).sign_in == "sess_1"
        for name in (7, "", "a b", "a" * 256, ["x"]):
            assert not is_believed(claims(OTHER, sid=name), OTHER)

    @pytest.mark.parametrize("state", ["pending", "", "Active", True, ["active"]])
    def test_a_sign_in_that_is_not_done_is_not_believed(self, state: Any) -> None:
        assert is_believed(claims(sts="active"))
        assert not is_believed(claims(sts=state))


class TestActor:
    def test_whoever_acts_in_anothers_place_is_named(self) -> None:
        assert accept(claims(act={"sub": "user_boss", "iss": "x"}), CLERK, NOW).actor == "user_boss"
        assert accept(claims(), CLERK, NOW).actor is None

    @pytest.mark.parametrize("act", ["x", {}, {"sub": 7}, {"sub": ""}, {"sub": "a\n"}, [], False, 0, ["sub"]])
    def test_one_who_is_not_named_is_not_believed(self, act: Any) -> None:
        assert not is_believed(claims() | {"act": act})


@pytest.mark.parametrize(
    ("issuer", "clerks"),
    [
        ("https://clerk.example.com", True),
        ("https://fancy-cat-7.clerk.accounts.dev", True),
        ("https://login.example.com", False),
        ("https://example.com/clerk.accounts.dev", False),
        ("https://evilclerk.accounts.dev.example.com", False),
        ("http://clerk.example.com", False),
        ("https://clerkish.example.com", False),
        ("https://my.clerk.example.com", False),
        ("glassfolio:local", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_clerks_issuers_are_known_by_their_host(issuer: str, clerks: bool) -> None:
    assert is_clerk(issuer) is clerks
    rules = outside_rules(issuer, frozenset(), allow_missing_party=True, audience="a")
    assert (rules.issuer, rules.allow_missing_party, rules.audience) == (issuer, True, "a")
    assert rules.names_sign_in is clerks
    assert bool(rules.subject.fullmatch("alice")) is not clerks
