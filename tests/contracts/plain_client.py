"""A client that knows the published fields of the status resource and nothing else.

Rows S1 to S9 of the contract as checks of one document, and of one document after another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

Json = Mapping[str, Any]

STATUSES = ("running", "completed", "failed", "not_found")
PHASES = (
    ("phase_1", "Market Data Collection", "symbols"),
    ("phase_1_5", "Factor Analysis", "symbols"),
    ("phase_1_75", "Symbol Metrics", "symbols"),
    ("phase_2_6", "Portfolio Snapshots & Analytics", "dates"),
)
PHASE_STATUSES = ("pending", "running", "completed", "failed")
LEVELS = ("info", "warning", "error")
FEED = 50
CONTRACT = (
    "portfolio_id",
    "status",
    "started_at",
    "elapsed_seconds",
    "overall_progress",
    "current_phase_progress",
    "activity_log",
    "phases",
)


def check(doc: Json) -> None:
    """Fail unless the document keeps every rule that needs no other document."""
    UUID(doc["portfolio_id"])
    assert doc["status"] in STATUSES
    _times(doc)
    _overall(doc)
    _current(doc)
    _log(doc)
    _phases(doc)
    _settled(doc)


def _times(doc: Json) -> None:
    if doc["status"] == "not_found":
        assert doc["started_at"] is None
        assert doc["elapsed_seconds"] == 0
    else:
        moment(doc["started_at"])
    assert whole(doc["elapsed_seconds"])


def _overall(doc: Json) -> None:
    overall = doc["overall_progress"]
    assert overall["phases_total"] == 4
    assert overall["phases_completed"] == sum(p["status"] == "completed" for p in doc["phases"])
    assert whole(overall["percent_complete"])
    assert (overall["percent_complete"] == 100) == (doc["status"] == "completed")
    if doc["status"] == "not_found":
        assert overall["current_phase"] is overall["current_phase_name"] is None
        assert overall["percent_complete"] == 0
    else:
        names = {wire_id: name for wire_id, name, _unit in PHASES}
        assert names[overall["current_phase"]] == overall["current_phase_name"]
    if doc["status"] == "completed":
        assert overall["current_phase"] == "phase_2_6"


def _current(doc: Json) -> None:
    progress = doc["current_phase_progress"]
    if doc["status"] == "not_found":
        assert progress is None
        return
    assert whole(progress["current"])
    assert progress["unit"] in ("symbols", "dates")
    assert whole(progress["total"])
    assert progress["current"] <= progress["total"]


def _log(doc: Json) -> None:
    log: Sequence[Json] = doc["activity_log"]
    assert len(log) <= FEED
    assert all(entry["level"] in LEVELS for entry in log)
    assert all(isinstance(entry["message"], str) and entry["message"] for entry in log)
    moments = [moment(entry["timestamp"]) for entry in log]
    assert moments == sorted(moments)
    if doc["status"] == "not_found":
        assert not log


def _phases(doc: Json) -> None:
    phases: Sequence[Json] = doc["phases"]
    assert [(p["phase_id"], p["phase_name"], p["unit"]) for p in phases] == list(PHASES)
    for phase in phases:
        assert phase["status"] in PHASE_STATUSES
        assert whole(phase["current"])
        assert phase["total"] is None or phase["current"] <= phase["total"]
        took = phase["duration_seconds"]
        assert took is None or took >= 0
        assert (took is not None) == (phase["status"] in ("completed", "failed")), phase
        if phase["status"] == "completed":
            assert phase["current"] == phase["total"]


def _settled(doc: Json) -> None:
    statuses = [phase["status"] for phase in doc["phases"]]
    if doc["status"] == "completed":
        assert statuses == ["completed"] * 4
    elif doc["status"] == "failed":
        assert "running" not in statuses
        assert "failed" in statuses
    elif doc["status"] == "not_found":
        assert statuses == ["pending"] * 4
    # One after the other: nothing begins before what stands above it is done.
    begun = [status != "pending" for status in statuses]
    assert begun == sorted(begun, reverse=True)


def whole(value: object) -> bool:
    """Whether it is a non-negative integer (and no boolean)."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def moment(text: str) -> datetime:
    """An ISO 8601 moment in UTC."""
    value = datetime.fromisoformat(text.replace("Z", "+00:00"))
    offset = value.utcoffset()
    assert offset is not None
    assert not offset
    return value


@dataclass
class PlainClient:
    """Reads one document after another and checks what must hold between them."""

    seen: list[Json] = field(default_factory=list)

    def read(self, doc: Json) -> None:
        """Check a document, and that nothing of the same attempt has gone back since the one before."""
        check(doc)
        if self.seen and self.seen[-1]["started_at"] == doc["started_at"]:
            self._follows(self.seen[-1], doc)
        self.seen.append(doc)

    @staticmethod
    def _follows(before: Json, doc: Json) -> None:
        assert doc["overall_progress"]["percent_complete"] >= before["overall_progress"]["percent_complete"]
        assert doc["overall_progress"]["phases_completed"] >= before["overall_progress"]["phases_completed"]
        assert doc["elapsed_seconds"] >= before["elapsed_seconds"]
        for now, then in zip(doc["phases"], before["phases"], strict=True):
            assert now["current"] >= then["current"]
        if before["status"] != "running":
            assert {key: doc[key] for key in CONTRACT} == {key: before[key] for key in CONTRACT}

    @property
    def words(self) -> list[str]:
        """The statuses that were seen, repetitions left out."""
        words: list[str] = []
        for doc in self.seen:
            if not words or words[-1] != doc["status"]:
                words.append(doc["status"])
        return words
