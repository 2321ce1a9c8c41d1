"""A lean reader in a process of its own: reads one address every 10 ms until its input ends.

Run as `python -m bench.poll HOST PORT PATH TOKEN`; prints the milliseconds of each read, a line each.
"""

import http.client
import select
import sys
import time


def main() -> None:
    """Read until standard input is closed."""
    host, port, path, token = sys.argv[1:5]
    connection = http.client.HTTPConnection(host, int(port))
    headers = {"Authorization": f"Bearer {token}"}
    taken: list[float] = []
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        connection.getresponse().read()
        taken.append(1000 * (time.perf_counter() - began))
    sys.stdout.write("\n".join(f"{ms:.4f}" for ms in taken))


if __name__ == "__main__":
    main()
