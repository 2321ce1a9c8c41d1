"""What a token must claim to be believed; pure rules over claims whose signature holds.

Knows nothing of keys, of requests or of what a subject may do.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LEEWAY_SECONDS = 5
LONGEST_LIFE_SECONDS = 3600
NAME = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
CLERK_SUBJECT = re.compile(r"user_[A-Za-z0-9]{1,64}", re.ASCII)
CLERK_HOSTS = ".clerk.accounts.dev"


class Disbelieved(Exception):
    """A claim is missing or wrong; the message is for the operator's log only."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in. subject: the issuer's name for the person. sign_in: which of the person's sign-ins;
    empty when the issuer does not say. expires: seconds since 1970. actor: who acts in the subject's
    place, or None.
    """

    subject: str
    sign_in: str
    expires: float
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What one issuer's tokens must say.

    parties: whom a token may have been made for (`azp`). allow_missing_party: accept tokens without `azp`.
    audience: what `aud` must name, None for no such demand. names_sign_in: whether this issuer always
    sends `sid`. subject: the issuer's grammar for `sub`.
    """

    issuer: str
    parties: frozenset[str]
    allow_missing_party: bool = False
    audience: str | None = None
    names_sign_in: bool = False
    subject: re.Pattern[str] = NAME


def is_clerk(issuer: str) -> bool:
    """Whether an issuer's address is one that Clerk gives out: `https://NAME.clerk.accounts.dev` in
    development, `https://clerk.DOMAIN` in production.
    """
    try:
        parts = urlsplit(issuer)
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme == "https" and (host.endswith(CLERK_HOSTS) or host.startswith("clerk."))


def outside_rules(
    issuer: str, parties: frozenset[str], *, allow_missing_party: bool, audience: str | None
) -> Rules:
    """The rules for an outside issuer; one of Clerk's is known to send `sid` and subjects `user_…`."""
    if is_clerk(issuer):
        return Rules(issuer, parties, allow_missing_party, audience, True, CLERK_SUBJECT)
    return Rules(issuer, parties, allow_missing_party, audience)


def accept(claims: Mapping[str, Any], rules: Rules, now: float) -> Identity:
    """The identity that claims prove at `now`, in seconds since 1970. Raises Disbelieved."""
    if claims.get("iss") != rules.issuer:
        raise Disbelieved("iss")
    _check_party(claims, rules)
    _check_audience(claims, rules)
    expires = _check_times(claims, now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not rules.subject.fullmatch(subject):
        raise Disbelieved("sub")
    if claims.get("sts", "active") != "active":
        raise Disbelieved("sts")
    return Identity(subject, _sign_in(claims, rules), expires, _actor(claims))


def _check_party(claims: Mapping[str, Any], rules: Rules) -> None:
    if "azp" not in claims:
        if not rules.allow_missing_party:
            raise Disbelieved("azp missing")
    elif not isinstance(claims["azp"], str) or claims["azp"] not in rules.parties:
        raise Disbelieved("azp")


def _check_audience(claims: Mapping[str, Any], rules: Rules) -> None:
    if rules.audience is None:
        return
    said = claims.get("aud")
    if rules.audience not in (said if isinstance(said, list) else [said]):
        raise Disbelieved("aud")


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    expires, not_before, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    if now > expires + LEEWAY_SECONDS:
        raise Disbelieved("exp")
    if now < not_before - LEEWAY_SECONDS:
        raise Disbelieved("nbf")
    if now < issued - LEEWAY_SECONDS:
        raise Disbelieved("iat")
    if expires - issued > LONGEST_LIFE_SECONDS:
        raise Disbelieved("lives too long")
    return expires


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Disbelieved(f"{name} is no number")
    try:
        moment = float(value)
    except OverflowError:
        raise Disbelieved(f"{name} is out of range") from None
    if not math.isfinite(moment):
        raise Disbelieved(f"{name} is out of range")
    return moment


def _sign_in(claims: Mapping[str, Any], rules: Rules) -> str:
    if "sid" not in claims and not rules.names_sign_in:
        return ""
    name = claims.get("sid")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Disbelieved("sid")
    return name


def _actor(claims: Mapping[str, Any]) -> str | None:
    """Who acts for the subject (RFC 8693, `act`); a claim that names nobody is not believed."""
    if "act" not in claims:
        return None
    act = claims["act"]
    actor = act.get("sub") if isinstance(act, dict) else None
    if not isinstance(actor, str) or not NAME.fullmatch(actor):
        raise Disbelieved("act")
    return actor
