"""Somebody who looks at the status of runs all the time, and notes what must never be seen."""

import json
import threading
from collections.abc import Sequence
from typing import Any

from glassfolio.wiring import Parts

LOOK_SECONDS = 0.05


class Watcher(threading.Thread):
    """Polls the status of portfolios as their owner; `wrong` lists what it saw and should not have."""

    def __init__(self, parts: Parts, owner_id: str) -> None:
        super().__init__(name="watcher", daemon=True)
        self._parts, self._owner = parts, owner_id
        self._last: dict[str, dict[str, Any]] = {}
        # One look after the other: what was read first is compared first.
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._watched: list[str] = []
        self.wrong: list[str] = []
        self.looks = 0
        self.failure: BaseException | None = None

    def watch(self, portfolio_id: str) -> None:
        """Look at this portfolio too, now and from now on."""
        self._look(portfolio_id)
        self._watched.append(portfolio_id)

    def look_again(self) -> None:
        """Look at once: what was asked for must show."""
        for portfolio_id in tuple(self._watched):
            self._look(portfolio_id)

    def run(self) -> None:
        """Look again and again."""
        try:
            while not self._stopping.wait(LOOK_SECONDS):
                for portfolio_id in tuple(self._watched):
                    self._look(portfolio_id)
        except BaseException as error:  # noqa: BLE001 - told to the scene, which fails
            self.failure = error

    def stop(self) -> None:
        """Look no more; raises what went wrong while looking."""
        self._stopping.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def have_ended(self, portfolio_ids: Sequence[str]) -> bool:
        """Whether the runs of these portfolios have ended."""
        return all(self._last[name]["status"] != "running" for name in portfolio_ids)

    def latest(self) -> list[str]:
        """The last status of each, in a few words."""
        return [_summary(self._last[name]) for name in self._watched]

    def _look(self, portfolio_id: str) -> None:
        with self._looking:
            seen: dict[str, Any] = json.loads(self._parts.reading.status(self._owner, portfolio_id).body)
            before = self._last.get(portfolio_id)
            self.looks += 1
            self.wrong += [f"{portfolio_id}: {what}" for what in impossible(before, seen)]
            self._last[portfolio_id] = seen


def impossible(before: dict[str, Any] | None, seen: dict[str, Any]) -> list[str]:
    """What is wrong with a status document in itself, and beside the one seen before in the same attempt."""
    wrong = []
    overall = seen["overall_progress"]
    if seen["status"] == "not_found":
        wrong.append("not_found after the start")
    if (overall["percent_complete"] == 100) != (seen["status"] == "completed"):
        wrong.append(f"{overall['percent_complete']} % while {seen['status']}")
    wrong += [
        f"{phase['phase_id']} at {phase['current']} of {phase['total']}"
        for phase in seen["phases"]
        if phase["total"] is not None and phase["current"] > phase["total"]
    ]
    if before is None or before["attempt"] != seen["attempt"]:
        return wrong
    for name, old, new in (
        ("percent", before["overall_progress"]["percent"], overall["percent"]),
        ("phases_completed", before["overall_progress"]["phases_completed"], overall["phases_completed"]),
        ("seq", before["seq"], seen["seq"]),
        ("updated_at", before["updated_at"], seen["updated_at"]),
        *(
            (f"current of {old_phase['phase_id']}", old_phase["current"], phase["current"])
            for old_phase, phase in zip(before["phases"], seen["phases"], strict=True)
        ),
    ):
        if new < old:
            wrong.append(f"{name} fell from {old} to {new}")
    if before["status"] != "running" and seen["status"] != before["status"]:
        wrong.append(f"{before['status']} became {seen['status']}")
    return wrong


def _summary(seen: dict[str, Any]) -> str:
    overall = seen["overall_progress"]
    failure = (seen["failure"] or {}).get("code")
    return f"{seen['status']} {seen['state']} {overall['percent']} % {overall['current_phase']} {failure}"
