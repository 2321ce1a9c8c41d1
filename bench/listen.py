"""Many open event streams in a process of their own.

Run as `python -m bench.listen HOST PORT SECONDS < LINES`, a line for each stream: path, a space, token. Says
`open` when all streams have had their first event, and at the end prints one line of JSON: events, the
milliseconds from commit to client (`committed` in the document, seconds since 1970), and streams that broke.
"""

import asyncio
import json
import sys
import time

STAMP = b'"committed":'
AT_ONCE = 100


class Tally:
    """What has been heard so far."""

    def __init__(self) -> None:
        self.opened = 0
        self.broken = 0
        self.milliseconds: list[float] = []
        self.counting = False


async def listen(host: str, port: int, line: str, tally: Tally, gate: asyncio.Semaphore) -> None:
    """Open one stream and note when its events come."""
    path, token = line.split(" ")
    async with gate:
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write(request.encode())
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"\n\n")
    tally.opened += 1
    try:
        while True:
            event = await reader.readuntil(b"\n\n")
            at = event.find(STAMP)
            if at >= 0 and tally.counting:
                sent = float(event[at + len(STAMP) : event.index(b",", at)])
                tally.milliseconds.append(1000 * (time.time() - sent))
    except (asyncio.IncompleteReadError, ConnectionError):
        tally.broken += 1
    finally:
        writer.close()


async def main(host: str, port: int, seconds: float, lines: list[str]) -> None:
    """Listen for a while."""
    tally, gate = Tally(), asyncio.Semaphore(AT_ONCE)
    tasks = [asyncio.create_task(listen(host, port, line, tally, gate)) for line in lines]
    while tally.opened < len(lines):
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.1)
    print("open", flush=True)
    await asyncio.sleep(2)
    tally.counting = True
    began = time.monotonic()
    while time.monotonic() - began < seconds and tally.broken < len(lines):
        await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    print(json.dumps({"milliseconds": tally.milliseconds, "broken": tally.broken}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.stdin.read().splitlines()))
