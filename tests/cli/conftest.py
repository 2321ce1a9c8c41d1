"""The command line as its users run it: another process, a folder of its own, nothing of our environment."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
HOLDINGS = "Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,100,126.00,2021-03-15\n"


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """What a command finds in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GLASSFOLIO_")}
    named = {
        "DATA_DIR": str(folder),
        "HISTORY_SESSIONS": "70",
        "LEASE": "2",
        "STATUS_RATE": "off",
        **settings,
    }
    return {
        **kept,
        "PYTHONPATH": str(SOURCES),
        "NO_COLOR": "1",
        **{f"GLASSFOLIO_{name}": value for name, value in named.items()},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the commands of a module share."""
    made = tmp_path_factory.mktemp("cli")
    (made / "holdings.csv").write_text(HOLDINGS, "utf-8")
    return made


@pytest.fixture
def glassfolio(folder: Path) -> Run:
    """Runs one command to its end."""

    def run(*arguments: str, **settings: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "glassfolio", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=folder,
            env=environment(folder, **settings),
        )

    return run
