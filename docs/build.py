"""Rebuilds what is generated in the pages: `make docs`. With `--record`, a new run for the picture too.

Knows nothing of what the tables say.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs import contract, measures, tables, terminal

HERE = Path(__file__).parent
ROOT = HERE.parent
RECORDING = HERE / "terminal.json"
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

PARTS: Mapping[str, Callable[[], str]] = {
    "import_codes": tables.import_codes,
    "problem_codes": tables.problem_codes,
    "failure_codes": tables.failure_codes,
    "messages": tables.messages,
    "symbol_reasons": tables.symbol_reasons,
    "metrics": tables.metrics,
    "models": tables.models,
    "factor_sets": tables.factor_sets,
    "honesty": measures.honesty,
    "percent_rules": measures.percent_rules,
    "remaining_rules": measures.remaining_rules,
    "scenarios": tables.scenarios,
}


def generated() -> dict[Path, str]:
    """What every page with a generated part, and the picture, must contain now."""
    pages = {path: path.read_text("utf-8") for path in sorted(HERE.glob("*.md"))}
    made = {path: filled(text) for path, text in pages.items() if PART.search(text)}
    page = HERE / "contract.md"
    made[page] = contract.with_tests(pages[page], ROOT / "tests", ROOT)
    made[HERE / "terminal.svg"] = terminal.draw(json.loads(RECORDING.read_text("utf-8")))
    return made


def filled(page: str) -> str:
    """The page with the parts between its marks made anew. Raises KeyError for an unknown part."""
    return PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n\n{match[3]}", page)


def main(arguments: list[str]) -> None:
    """Write everything that is generated."""
    if "--record" in arguments:
        RECORDING.write_text(json.dumps(terminal.record(), indent=1) + "\n", "utf-8")
    for path, text in generated().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
