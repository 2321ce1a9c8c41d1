"""Fuzzes files and requests, and prints the figures: `python -m tests.fuzz [--files N] [--requests N]`."""

import argparse
import os
import secrets
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.contracts.running import make_settings, running
from tests.fuzz import files, requests

WORST_SECONDS, GROWTH_MIB = 0.1, 20


def main() -> None:
    """Fuzz, print, and end with 1 when anything escaped or failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    fine = fuzz_files(given.files, given.seed) if given.files else True
    fine = (fuzz_requests(given.requests, given.seed) if given.requests else True) and fine
    sys.exit(not fine)


def fuzz_files(count: int, seed: int) -> bool:
    """Files in as many processes as there are processors."""
    processes = os.cpu_count() or 1
    with ProcessPoolExecutor(processes) as pool:
        reports = list(pool.map(files.fuzz, [count // processes] * processes, range(seed, seed + processes)))
    read, escapes = sum(r.files for r in reports), [one for r in reports for one in r.escapes]
    worst, growth = max(r.worst for r in reports), max(r.growth for r in reports)
    print(
        f"files: {read} read, {sum(r.accepted for r in reports)} accepted, {len(escapes)} escapes,"
        f" worst {1000 * worst:.1f} ms of CPU (target {1000 * WORST_SECONDS:.0f}),"
        f" growth {growth:.1f} MiB (target {GROWTH_MIB}), {max(r.seconds for r in reports):.0f} s"
    )
    print(f"files: codes never told: {', '.join(sorted(set.intersection(*(r.never_told for r in reports))))}")
    print("\n".join(escapes[:20]))
    return not escapes and worst <= WORST_SECONDS and growth <= GROWTH_MIB


def fuzz_requests(cases: int, seed: int) -> bool:
    """Requests to a service of this process."""
    warnings.filterwarnings("ignore", message="Do not use the `random` module")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(make_settings(Path(folder), admins="alice,bob")) as service,
    ):
        report = requests.fuzz(service, cases, seed)
    print(
        f"requests: {report.cases} to {len(report.operations)} operations, {len(report.failures)} failures,"
        f" {report.server_errors} server errors, never a success: {sorted(report.never_succeeded) or 'none'}"
    )
    print("\n".join(report.failures[:20]))
    return not report.failures and not report.never_succeeded


if __name__ == "__main__":
    main()
