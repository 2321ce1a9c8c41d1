"""The picture of the terminal: a status document recorded from a real run, drawn as the terminal draws it.

The recording is kept beside the picture, so that the picture can be drawn again without a run.
"""

import json
import re
import tempfile
import time
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from glassfolio import bundled
from glassfolio.cli.render import picture
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller, Upload
from glassfolio.settings import load
from glassfolio.store import portfolios
from glassfolio.wiring import Parts, Worker, assemble

WIDTH = 100
LOOK_SECONDS = 0.002
TITLE = "glassfolio onboard"
# A picture fetches nothing from elsewhere: fonts of a public server, and the comment that names its maker.
FOREIGN = re.compile(r" *@font-face \{.*?\}\n|<!--.*?-->", re.DOTALL)


def draw(document: dict[str, Any]) -> str:
    """A status document as the terminal shows it, as SVG."""
    console = Console(
        width=WIDTH, record=True, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(picture(document))
    svg = console.export_svg(title=TITLE)
    return "\n".join(line.rstrip() for line in FOREIGN.sub("", svg).split("\n"))


def record() -> dict[str, Any]:
    """Onboard the sample in a folder of its own; returns the document at the middle of the last phase."""
    with tempfile.TemporaryDirectory() as folder:
        parts = assemble(load(data_dir=Path(folder), provider="bundled", database_url=""))
        worker = Worker(parts)
        worker.start()
        try:
            seen = _watch(parts)
        finally:
            worker.stop(0)
            parts.close()
    last = [doc for doc in seen if doc["status"] == "running" and doc["phases"][-1]["status"] == "running"]
    return last[len(last) // 2] if last else seen[-1]


def _watch(parts: Parts) -> list[dict[str, Any]]:
    sample = bundled.SAMPLES["balanced"]
    with parts.database.transaction() as connection:
        caller = Caller(portfolios.user_id(connection, "local", parts.clock.now()), Trigger.CLI)
    fields = {
        "name": sample.title,
        "account_name": "Sample",
        "account_type": "taxable",
        "equity": str(sample.equity),
    }
    upload = Upload(sample.filename, bundled.read_bytes(sample.filename))
    opened = parts.onboarding.open(caller, upload, fields)
    assert opened.portfolio_id is not None
    seen: list[dict[str, Any]] = []
    while True:
        answer = parts.reading.status(caller.user_id, opened.portfolio_id)
        document: dict[str, Any] = json.loads(answer.body)
        if not seen or document["seq"] != seen[-1]["seq"]:
            seen.append(document)
        if answer.ended:
            return seen
        time.sleep(LOOK_SECONDS)
