"""A local issuer: a server with a key set that rotates, hangs, breaks or lies, and the tokens it signs.

In a test: `with FakeIssuer() as fake: fake.url`. Tokens look like those of Clerk unless told otherwise.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from uuid import uuid4

from joserfc import jws
from joserfc.jwk import RSAKey

REGISTRY = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
Claims = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
_KEYS: list[RSAKey] = []


def some_key(number: int = 0) -> RSAKey:
    """One of a few keys that all tests share; making one takes long."""
    while len(_KEYS) <= number:
        _KEYS.append(RSAKey.generate_key(2048))
    return _KEYS[number]


def public(key: RSAKey, key_id: str, **more: Any) -> dict[str, Any]:
    """A key as it stands in a key set."""
    shown = {**key.as_dict(private=False), "kid": key_id, "use": "sig", "alg": "RS256", **more}
    return {name: value for name, value in shown.items() if value is not None}


class FakeIssuer:
    """The server. keys: id -> key, what its set holds now. answer: replaces the set when it is given.

    delay: seconds before each answer. hits: how many times the set was asked for.
    """

    def __init__(self, issuer: str = "https://clerk.example.com") -> None:
        self.issuer = issuer
        self.keys: dict[str, RSAKey] = {"one": some_key()}
        self.answer: Callable[[], Answer] | None = None
        self.delay = 0.0
        self.hits = 0
        self.seen: list[str] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/jwks.json"

    def __enter__(self) -> "FakeIssuer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, path: str) -> Answer:
        """Count a request and answer it."""
        with self._lock:
            self.hits += 1
            self.seen.append(path)
        time.sleep(self.delay)
        return self.answer() if self.answer else self.set_of(self.keys)

    @staticmethod
    def set_of(keys: dict[str, RSAKey]) -> Answer:
        """The key set of some keys as an answer."""
        listed = [public(key, key_id) for key_id, key in keys.items()]
        return 200, {"Content-Type": "application/json"}, json.dumps({"keys": listed}).encode()

    def claims(self, now: float, **changes: Any) -> Claims:
        """The claims of a session token, version 2; a change to None leaves the claim out."""
        issued = int(now)
        whole: Claims = {
            "iss": self.issuer,
            "sub": "user_2abcDEF",
            "sid": "sess_2abcDEF",
            "azp": "https://app.example.com",
            "exp": issued + 60,
            "iat": issued,
            "nbf": issued - 10,
            "sts": "active",
            "fva": [0, -1],
            "jti": uuid4().hex,
            "v": 2,
        }
        whole |= changes
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, now: float, *, key_id: str = "one", key: RSAKey | None = None, **changes: Any) -> str:
        """A token as Clerk makes them, with a header of its own beside the standard ones."""
        header = {"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": key_id, "typ": "JWT"}
        body = json.dumps(self.claims(now, **changes)).encode()
        return jws.serialize_compact(header, body, key or self.keys[key_id], registry=REGISTRY)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], fake: FakeIssuer) -> None:
        self.fake = fake
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        status, headers, body = self.server.fake.reply(self.path)
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            # Whoever asked has given up waiting.
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
