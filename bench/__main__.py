"""Prints every figure as a table, beside its target and a peer measured in the same run."""

import platform

from rich.console import Console
from rich.table import Table

from bench import bench_kernels, bench_service, bench_start, bench_stress

COLUMNS = ("figure", "measured", "spread", "target", "peer", "peer measured", "ratio")


def main() -> None:
    """Run all benches, one after the other, and print their tables."""
    console = Console(width=150)
    console.print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    for bench in (bench_start, bench_service, bench_stress):
        table = Table(*COLUMNS, title=bench.TITLE, title_justify="left")
        for figure in bench.figures():
            table.add_row(*figure.cells())
        console.print(table)
    bench_kernels.main()


if __name__ == "__main__":
    main()
