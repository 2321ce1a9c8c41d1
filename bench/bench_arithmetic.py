"""The computing of one onboarding, phase by phase: 30 lots over 254 sessions, without its writes."""

import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.service import open_portfolio, running, wait
from glassfolio.batch.pipeline import PHASES
from glassfolio.batch.task import Task, Workplace
from glassfolio.settings import load
from glassfolio.wiring import Parts, assemble

TITLE = "Arithmetic of one onboarding, reads of what it rests on included (one core)"
ROUNDS = 9
TARGET_MS = 50


def figures() -> Iterator[Figure]:
    """Milliseconds of the three phases that compute, as their chunks do it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder) as service, service.client("model") as client:
            run_id = str(wait(client, open_portfolio(client, "model"))["run_id"])
        parts = assemble(load(data_dir=folder))
        try:
            rounds = [measure(parts, run_id) for _ in range(ROUNDS)]
        finally:
            parts.close()
    for phase in PHASES[1:]:
        yield Figure(phase.name.title, "ms", [taken[phase.name.key] for taken in rounds])
    yield Figure("all three", "ms", [sum(taken.values()) for taken in rounds], TARGET_MS)


def measure(parts: Parts, run_id: str) -> dict[str, float]:
    """One round on a task of its own, with everything to be computed."""
    with parts.database.reading() as connection:
        task = Workplace(parts.setup).task_in(connection, run_id)
    assert task.panel.close.size
    gc.collect()
    return {phase.name.key: timed(phase.name.key, task) for phase in PHASES[1:]}


def timed(key: str, task: Task) -> float:
    """Milliseconds of processor time of a phase's chunks."""
    phase = next(phase for phase in PHASES if phase.name.key == key)
    if phase.name.unit == "symbols":
        payloads = [{"symbols": list(task.listed_symbols)}]
    else:
        days = [str(day) for day in task.window]
        payloads = [{"dates": days[first : first + 64]} for first in range(0, len(days), 64)]
    began = time.thread_time()
    for payload in payloads:
        phase.work(task, payload)
    return 1000 * (time.thread_time() - began)
