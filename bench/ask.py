"""A lean asker in a process of its own: keeps a few connections busy with requests for some seconds.

Run as `python -m bench.ask HOST PORT CONNECTIONS SECONDS`; reads `PATH TOKEN [TAG]` lines from its
input and asks for them in turn. Prints one line of JSON: how many answers of each status, and their
milliseconds.
"""

import json
import selectors
import socket
import sys
import time
from collections import Counter
from itertools import cycle

PIECE = 256 * 1024
END = b"\r\n\r\n"


class Connection:
    """One connection with at most one request under way."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._began = 0.0

    def ask(self, request: bytes) -> None:
        self._began = time.perf_counter()
        self.socket.sendall(request)

    def heard(self) -> tuple[int, float] | None:
        """Status and milliseconds, once the whole answer is there."""
        self._rest += self.socket.recv(PIECE)
        head, end, body = self._rest.partition(END)
        if not end or len(body) < _length(head):
            return None
        self._rest = b""
        return int(head[9:12]), 1000 * (time.perf_counter() - self._began)


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length: ")
    return int(head[at + 16 : head.find(b"\r", at) if b"\r" in head[at:] else None]) if at >= 0 else 0


def main() -> None:
    """Ask until the time is over."""
    host, port, connections, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    requests = cycle([_request(host, *line.split()) for line in sys.stdin])
    ready = selectors.DefaultSelector()
    for _ in range(connections):
        one = Connection(host, port)
        ready.register(one.socket, selectors.EVENT_READ, one)
        one.ask(next(requests))
    answers: Counter[int] = Counter()
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for key, _mask in ready.select(1):
            found = key.data.heard()
            if found is not None:
                answers[found[0]] += 1
                taken.append(found[1])
                key.data.ask(next(requests))
    sys.stdout.write(json.dumps({"answers": answers, "milliseconds": taken}) + "\n")


def _request(host: str, path: str, token: str = "", tag: str = "") -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"If-None-Match: {tag}"] if tag else []
    return "\r\n".join([*lines, "", ""]).encode()


if __name__ == "__main__":
    main()
