"""Chunk work in threads, handed on in planned order, or as it gets ready.

Knows nothing of how results are committed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from itertools import islice
from typing import TypeVar

from glassfolio.batch.endings import as_fault
from glassfolio.batch.phase import Fault, Payload, Phase, Result
from glassfolio.batch.task import Task

LOOK_SECONDS = 0.25

T = TypeVar("T")
K = TypeVar("K")


def attempt(phase: Phase, task: Task, payload: Payload) -> Result | Fault:
    """Work one chunk; whatever raises becomes a fault with a reason."""
    try:
        with task.setup.waits.working_for(task.run_id):
            return phase.work(task, payload)
    except Exception as error:  # noqa: BLE001 - the edge of a work thread
        return as_fault(error)


def keep_waiting() -> None:
    """The look of somebody who waits for a result, however long it takes."""


def in_order(
    pool: ThreadPoolExecutor,
    items: Iterable[K],
    work: Callable[[K], T],
    ahead: int,
    look: Callable[[], T | None] = keep_waiting,
) -> Iterator[tuple[K, T]]:
    """Work items in threads, at most `ahead` before their turn, and yield results in the items' order.

    look: called again and again while the next result is not there; what it gives stands in its place.
    """
    waiting: deque[tuple[K, Future[T]]] = deque()
    rest = iter(items)
    try:
        for item in islice(rest, ahead):
            waiting.append((item, pool.submit(work, item)))
        while waiting:
            item, future = waiting.popleft()
            result = _result(future, look)
            for following in islice(rest, 1):
                waiting.append((following, pool.submit(work, following)))
            yield item, result
    finally:
        for _item, future in waiting:
            future.cancel()


def as_ready(
    pool: ThreadPoolExecutor,
    items: Iterable[K],
    work: Callable[[K], T],
    ahead: int,
    look: Callable[[], T | None] = keep_waiting,
) -> Iterator[tuple[K, T]]:
    """As `in_order`, but whatever is ready comes first: one slow answer holds up no other."""
    rest = iter(items)
    waiting = {pool.submit(work, item): item for item in islice(rest, ahead)}
    try:
        while waiting:
            ready = next((future for future in waiting if future.done()), None)
            if ready is None:
                wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
                instead = None if any(future.done() for future in waiting) else look()
                if instead is not None:
                    yield waiting.pop(next(iter(waiting))), instead
                continue
            item = waiting.pop(ready)
            for following in islice(rest, 1):
                waiting[pool.submit(work, following)] = following
            yield item, ready.result()
    finally:
        for future in waiting:
            future.cancel()


def _result(future: "Future[T]", look: Callable[[], T | None]) -> T:
    while True:
        try:
            return future.result(LOOK_SECONDS)
        except FutureTimeoutError:
            instead = look()
            if instead is not None:
                return instead
