"""A local server that speaks Tiingo's end-of-day API and serves the bundled prices, or faults on demand.

In a test: `with FakeTiingo() as fake: fake.url`. As its own process:
`python -m tests.fakes.tiingo --port 0 --delay 0.2 --faults faults.json` prints its address on one line.

GET /__hits answers the list of requests; POST /__faults takes {"SYMBOL": "fault" | ["first", "then"] | null}
and POST /__delay takes {"seconds": 0.2}. The symbol "*" stands for all that are not named. A list is used up
one request after the other, and its last entry stays.
"""

import argparse
import gzip
import json
import socket
import struct
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from pydantic import TypeAdapter, ValidationError

from glassfolio.bundled import load_prices
from glassfolio.providers.bundled import cut
from tests.fakes.tiingo_faults import ANSWER_FAULTS, FAULTS, ROW_FAULTS, Answer, Row, make_row, to_json

Script = str | list[str] | None
_SCRIPTS = TypeAdapter(dict[str, Script])
_DELAY = TypeAdapter(dict[str, float])


@dataclass(frozen=True)
class Hit:
    """One request for prices."""

    symbol: str
    start: str
    end: str
    authorised: bool


class FakeTiingo:
    """The server; counts hits, and changes its behaviour while it runs."""

    def __init__(
        self, *, port: int = 0, delay: float = 0.0, faults: Mapping[str, Script] | None = None, key: str = ""
    ) -> None:
        self.delay = delay
        self.key = key
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._scripts: dict[str, list[str]] = {}
        self._hits: list[Hit] = []
        self._held: frozenset[str] = frozenset()
        self._released = threading.Event()
        self.stray_paths: list[str] = []
        self.set_faults(faults or {})
        self._server = _Server(("127.0.0.1", port), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FakeTiingo":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Answer requests until the process ends."""
        self._server.serve_forever()

    @property
    def hits(self) -> list[Hit]:
        """Every request for prices so far, in order of arrival."""
        with self._lock:
            return list(self._hits)

    def set_faults(self, faults: Mapping[str, Script]) -> None:
        """Change what the named symbols do from the next request on; None makes one good again."""
        for symbol, script in faults.items():
            steps = [script] if isinstance(script, str) else list(script or ())
            unknown = set(steps) - set(FAULTS)
            if unknown:
                raise ValueError(f"unknown faults: {sorted(unknown)}")
            with self._lock:
                self._scripts.pop(symbol.upper(), None)
                if steps:
                    self._scripts[symbol.upper()] = steps

    def hold(self, *symbols: str) -> None:
        """Answer no request for these symbols until they are released."""
        with self._lock:
            self._held, self._released = frozenset(symbols), threading.Event()

    def release(self) -> None:
        """Answer the requests that are held, and hold none any more."""
        with self._lock:
            self._held = frozenset()
            self._released.set()

    def wait_while_held(self, symbol: str) -> None:
        """Wait until a symbol may be answered."""
        with self._lock:
            released = self._released if symbol in self._held else None
        if released is not None:
            released.wait()

    def take_fault(self, hit: Hit) -> str:
        """Count a request and tell how to answer it."""
        with self._lock:
            self._hits.append(hit)
            steps = self._scripts.get(hit.symbol) or self._scripts.get("*") or ["good"]
            return steps.pop(0) if len(steps) > 1 else steps[0]

    def rows(self, symbol: str, start: date, end: date) -> list[Row] | None:
        """The bundled bars of a symbol as Tiingo would write them; None when it is unknown."""
        table = load_prices()
        if symbol not in table.symbols:
            return None
        bars = cut(table, table.symbols.index(symbol), symbol, start, end)
        return [
            make_row(day, close)
            for day, close in zip(bars.sessions.tolist(), bars.close.tolist(), strict=True)
        ]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], fake: FakeTiingo) -> None:
        self.fake = fake
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silence: the hits are the record."""

    def do_GET(self) -> None:
        """Prices, or the list of hits."""
        fake, parts = self.server.fake, urlsplit(self.path)
        if parts.path == "/__hits":
            self._send(Answer(200, to_json([asdict(hit) for hit in fake.hits])))
            return
        steps = parts.path.split("/")
        if len(steps) != 5 or steps[1:3] != ["tiingo", "daily"] or steps[4] != "prices":
            fake.stray_paths.append(parts.path)
            self._send(Answer(404, b"<html>no such page</html>", content_type="text/html"))
            return
        query = parse_qs(parts.query)
        start, end = query.get("startDate", [""])[0], query.get("endDate", [""])[0]
        sent = self.headers.get("Authorization", "")
        authorised = sent == f"Token {fake.key}" if fake.key else sent.startswith("Token ")
        hit = Hit(steps[3].upper(), start, end, authorised)
        fault = fake.take_fault(hit)
        fake.stopping.wait(fake.delay)
        fake.wait_while_held(hit.symbol)
        self._answer(fault if authorised else "unauthorised", hit)

    def do_POST(self) -> None:
        """Change faults or the delay."""
        fake, body = self.server.fake, self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            if self.path == "/__faults":
                fake.set_faults(_SCRIPTS.validate_json(body))
            elif self.path == "/__delay":
                fake.delay = _DELAY.validate_json(body)["seconds"]
            else:
                raise ValueError(f"nothing to change at {self.path}")
        except (ValidationError, ValueError, KeyError) as error:
            self._send(Answer(422, to_json({"detail": str(error)})))
            return
        self._send(Answer(200, b"{}"))

    def _answer(self, fault: str, hit: Hit) -> None:
        if fault in ANSWER_FAULTS:
            self._send(ANSWER_FAULTS[fault])
            return
        rows = self.server.fake.rows(hit.symbol, date.fromisoformat(hit.start), date.fromisoformat(hit.end))
        if rows is None:
            self._send(ANSWER_FAULTS["not_found"])
        elif fault in ROW_FAULTS:
            body = to_json(ROW_FAULTS[fault](rows) if rows else rows)
            packed = fault == "gzip"
            headers = {"Content-Encoding": "gzip"} if packed else {}
            self._send(Answer(200, gzip.compress(body) if packed else body, headers))
        else:
            self._break(fault, to_json(rows))

    def _break(self, fault: str, body: bytes) -> None:
        if fault == "truncated":
            self._send(Answer(200, body[: len(body) // 2]))
        elif fault == "too_large":
            self._send(Answer(200, body + b" " * 2**25))
        elif fault == "partial":
            self._send(Answer(200, body[: len(body) // 2]), promised=len(body))
            self.close_connection = True
        elif fault == "slow":
            self.server.fake.stopping.wait(30)
            self.close_connection = True
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RD)
            self.close_connection = True

    def _send(self, answer: Answer, promised: int | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) if promised is None else promised))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.tiingo", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--key", default="")
    options = parser.parse_args(arguments)
    faults = json.loads(options.faults.read_text("utf-8")) if options.faults else {}
    fake = FakeTiingo(port=options.port, delay=options.delay, faults=faults, key=options.key)
    sys.stdout.write(f"{fake.url}\n")
    sys.stdout.flush()
    fake.serve()


if __name__ == "__main__":
    main()
