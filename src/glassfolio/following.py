"""What a live view follows: which of the watched runs have changed, whichever process carried them.

Belongs to one thread. Knows nothing of clients or of how news are handed on.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from glassfolio.db.changes import Changes
from glassfolio.reading import Reading
from glassfolio.store import live
from glassfolio.store.live import Version

# A run that began and ended between two looks is found by this slower one.
WHOLE_LOOK_SECONDS = 1.0
# Whose a watched portfolio is.
OWNERS_SECONDS = 10.0


class Topic(NamedTuple):
    """What can be watched: a portfolio's status address, or one run."""

    portfolio_id: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """The newest document of a topic. body: one line of JSON, as it is sent now."""

    topic: Topic
    seq: int
    ended: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose a topic is now; owner_id is None when its portfolio was deleted."""

    topic: Topic
    owner_id: str | None


@dataclass
class Following:
    """Finds the news of the watched topics.

    watched: the topics that somebody watches just now.
    """

    reading: Reading
    changes: Changes
    watched: Callable[[], list[Topic]]
    _known: dict[Topic, Version | None] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)
    _looked: float = 0.0
    _asked: float = 0.0
    _behind: bool = True

    def wait(self) -> list[News | Owned]:
        """Wait a moment for somebody's commit; returns what is new since the last call."""
        self._behind |= self.changes.wait()
        topics = self.watched()
        now = time.monotonic()
        self._known = {topic: self._known.get(topic) for topic in topics}
        if not topics:
            return []
        news: list[News | Owned] = []
        owners_due = now - self._asked >= OWNERS_SECONDS
        if self._behind or owners_due or any(version is None for version in self._known.values()):
            whole = now - self._looked >= WHOLE_LOOK_SECONDS
            with self.reading.setup.database.reading() as connection:
                found = self._whole(connection, topics) if whole else self._quick(connection, topics)
                news += self._news(connection, found)
                if whole:
                    self._looked, self._behind = now, False
                if owners_due:
                    owners = live.owners(connection, {topic.portfolio_id for topic in topics})
                    news += [Owned(topic, owners.get(topic.portfolio_id)) for topic in topics]
                    self._asked = now
        return news

    def _quick(self, connection: sa.Connection, topics: Iterable[Topic]) -> dict[Topic, Version]:
        """By the runs that are at work, and those that were at the last look: few, however many watch."""
        at_work = dict(live.active(connection))
        by_run = {version.run_id: version for version in at_work.values()}
        ended = self._running - by_run.keys()
        self._running = set(by_run)
        if ended:
            by_run |= live.run_versions(connection, ended)
        found = {}
        for topic in topics:
            known = self._known[topic]
            version = at_work.get(topic.portfolio_id) if topic.run_id is None else by_run.get(topic.run_id)
            if version is None and known is not None:
                version = by_run.get(known.run_id)
            if version is not None:
                found[topic] = version
        return found

    def _whole(self, connection: sa.Connection, topics: Iterable[Topic]) -> dict[Topic, Version]:
        shown = live.shown_versions(connection, [t.portfolio_id for t in topics if t.run_id is None])
        runs = live.run_versions(connection, [t.run_id for t in topics if t.run_id is not None])
        found = {t: runs.get(t.run_id) if t.run_id else shown.get(t.portfolio_id) for t in topics}
        return {topic: version for topic, version in found.items() if version is not None}

    def _news(self, connection: sa.Connection, found: dict[Topic, Version]) -> list[News]:
        new = {topic: version for topic, version in found.items() if version != self._known[topic]}
        self._known |= new
        documents = live.documents(connection, {version.run_id for version in new.values()})
        news = []
        for topic, version in new.items():
            if version.run_id not in documents:
                continue
            owner_id, shown = documents[version.run_id]
            answer = self.reading.answer(connection, shown, owner_id, topic.portfolio_id)
            news.append(News(topic, shown.seq or 0, answer.ended, answer.body))
        return news
