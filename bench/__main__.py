"""Prints every figure as a table, beside its target and a peer measured in the same run.

`python -m bench NAME …` prints only those: the modules here named bench_NAME.
"""

import importlib
import pkgutil
import platform
import sys

from rich.console import Console
from rich.table import Table

import bench

COLUMNS = ("figure", "measured", "spread", "target", "peer", "peer measured", "ratio")
PREFIX = "bench_"


def main(names: list[str]) -> None:
    """Run the benches, one after the other, and print their tables."""
    console = Console(width=150)
    console.print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    found = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    for name in sorted(name for name in found if name.startswith(PREFIX)):
        if names and name.removeprefix(PREFIX) not in names:
            continue
        module = importlib.import_module(f"bench.{name}")
        if not hasattr(module, "figures"):
            module.main()
            continue
        table = Table(*COLUMNS, title=module.TITLE, title_justify="left")
        for figure in module.figures():
            table.add_row(*figure.cells())
        console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
