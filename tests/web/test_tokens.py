"""S2: an ordinary bearer token is enough; one that does not hold is the same 401, whatever the cause."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import RSAKey

from glassfolio.identity import issuer
from tests.contracts.running import Running, stored

PATH = "/api/v1/portfolios"
Claims = dict[str, Any]


def claims(service: Running, **changes: object) -> Claims:
    now = int(service.parts.clock.now().timestamp())
    whole: Claims = {
        "iss": issuer.ISSUER,
        "sub": "alice",
        "sid": "one",
        "azp": service.parts.settings.address,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
    }
    whole |= changes
    return {name: value for name, value in whole.items() if value is not None}


def signed(service: Running, **changes: object) -> str:
    key = service.issuer
    return jwt.encode({"alg": "RS256", "kid": key.key_id}, claims(service, **changes), key.key)


def piece(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def now(service: Running) -> int:
    return int(service.parts.clock.now().timestamp())


def none_algorithm(service: Running) -> str:
    header = {"alg": "none", "kid": service.issuer.key_id}
    return f"{piece(header)}.{piece(claims(service))}."


def signed_with_the_public_key(service: Running) -> str:
    """HS256 with the PEM that everybody may know as its secret."""
    key = service.issuer
    text = f"{piece({'alg': 'HS256', 'kid': key.key_id})}.{piece(claims(service))}"
    return f"{text}.{piece(hmac.digest(key.key.as_pem(private=False), text.encode(), 'sha256'))}"


def critical_header(service: Running) -> str:
    """Signed as it should be, with a header that says not to accept it unless it is understood."""
    key = service.issuer
    header = {"alg": "RS256", "kid": key.key_id, "crit": ["b64"], "b64": True}
    text = f"{piece(header)}.{piece(claims(service))}"
    private = load_pem_private_key(key.key.as_pem(private=True), None)
    assert isinstance(private, RSAPrivateKey)
    return f"{text}.{piece(private.sign(text.encode(), PKCS1v15(), SHA256()))}"


def tampered(service: Running) -> str:
    head, _body, signature = signed(service).split(".")
    return f"{head}.{piece(claims(service, sub='bob'))}.{signature}"


def other_key(service: Running) -> str:
    key_id = service.issuer.key_id
    return jwt.encode({"alg": "RS256", "kid": key_id}, claims(service), RSAKey.generate_key(2048))


def unknown_key_id(service: Running) -> str:
    return jwt.encode({"alg": "RS256", "kid": "other"}, claims(service), service.issuer.key)


def nested_header(_service: Running) -> str:
    return f"{piece(b'[' * 2900)}.{piece({})}.x"


REFUSED: dict[str, Callable[[Running], str]] = {
    "garbage": lambda _service: "garbage",
    "three empty parts": lambda _service: "..",
    "no base64": lambda _service: "é.é.é",
    "alg none": none_algorithm,
    "HS256 with the public PEM": signed_with_the_public_key,
    "tampered": tampered,
    "another key": other_key,
    "unknown key id": unknown_key_id,
    "deeply nested header": nested_header,
    "critical header": critical_header,
    "expired": lambda s: signed(s, iat=now(s) - 70, nbf=now(s) - 70, exp=now(s) - 10),
    "not yet valid": lambda s: signed(s, nbf=now(s) + 30),
    "issued in the future": lambda s: signed(s, iat=now(s) + 30),
    "lives too long": lambda s: signed(s, exp=now(s) + 4000),
    "wrong issuer": lambda s: signed(s, iss="https://elsewhere.example"),
    "wrong party": lambda s: signed(s, azp="https://elsewhere.example"),
    "no party": lambda s: signed(s, azp=None),
    "no subject": lambda s: signed(s, sub=None),
    "no expiry": lambda s: signed(s, exp=None),
    "no issue date": lambda s: signed(s, iat=None),
    "no start": lambda s: signed(s, nbf=None),
    "expiry as text": lambda s: signed(s, exp=str(now(s) + 60)),
    "expiry as truth": lambda s: signed(s, exp=True),
    "party as a list": lambda s: signed(s, azp=[s.parts.settings.address]),
    "empty subject": lambda s: signed(s, sub=""),
    "subject with a line break": lambda s: signed(s, sub="alice\n"),
    "subject as a number": lambda s: signed(s, sub=7),
    "oversize": lambda s: signed(s, pad="x" * 4096),
}


def visible(reply: httpx.Response) -> tuple[int, list[tuple[str, str]], Any]:
    """What a caller sees, but for the date and the request's own id."""
    headers = sorted((k, v) for k, v in reply.headers.multi_items() if k != "date")
    body = {name: value for name, value in reply.json().items() if name != "request_id"}
    return reply.status_code, headers, body


def ask(service: Running, authorization: str | None) -> httpx.Response:
    headers = [] if authorization is None else [(b"Authorization", authorization.encode())]
    return service.anonymous().get(PATH, headers=headers)


def test_a_token_as_it_should_be_is_accepted(idle: Running) -> None:
    assert ask(idle, f"Bearer {signed(idle)}").status_code == 200
    assert ask(idle, f"bearer {signed(idle)}").status_code == 200


@pytest.mark.parametrize("case", REFUSED)
def test_every_token_that_does_not_hold_is_the_same_401(idle: Running, case: str) -> None:
    expected = visible(ask(idle, None))
    assert expected[0] == 401
    assert ("www-authenticate", 'Bearer error="invalid_token"') in expected[1]
    assert visible(ask(idle, f"Bearer {REFUSED[case](idle)}")) == expected


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Token x"])
def test_a_header_without_a_bearer_token_is_the_same_401(idle: Running, header: str) -> None:
    assert visible(ask(idle, header)) == visible(ask(idle, None))


def test_no_route_but_the_open_ones_answers_without_a_token(idle: Running) -> None:
    """A new route is covered by being in the schema."""
    nobody = idle.anonymous()
    paths = nobody.get("/api/v1/openapi.json").json()["paths"]
    open_paths = {
        "/healthz",
        "/readyz",
        "/metrics",
        "/.well-known/jwks.json",
        "/api/v1/onboarding/csv-template",
    }
    for path, methods in paths.items():
        for method in methods:
            reply = nobody.request(method, path.format(portfolio_id="x", run_id="x"))
            assert (reply.status_code == 401) == (path not in open_paths), (method, path)


def test_a_token_in_the_address_is_worth_nothing(idle: Running) -> None:
    reply = idle.anonymous().get(PATH, params={"token": signed(idle), "access_token": signed(idle)})
    assert reply.status_code == 401


def test_a_subject_becomes_a_user_on_first_sight_and_stays_the_same(idle: Running) -> None:
    mine = stored(idle.client("newcomer"))
    again = {"Authorization": f"Bearer {signed(idle, sub='newcomer')}"}
    assert [p["portfolio_id"] for p in idle.anonymous().get(PATH, headers=again).json()] == [mine]
