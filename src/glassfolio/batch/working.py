"""Chunk work in threads, handed on in planned order.

Knows nothing of how results are committed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from glassfolio.batch.endings import as_fault
from glassfolio.batch.phase import Fault, Payload, Phase, Result
from glassfolio.batch.task import Task

T = TypeVar("T")
K = TypeVar("K")


def attempt(phase: Phase, task: Task, payload: Payload) -> Result | Fault:
    """Work one chunk; whatever raises becomes a fault with a reason."""
    try:
        return phase.work(task, payload)
    except Exception as error:  # noqa: BLE001 - the edge of a work thread
        return as_fault(error)


def in_order(
    pool: ThreadPoolExecutor, items: Iterable[K], work: Callable[[K], T], ahead: int
) -> Iterator[tuple[K, T]]:
    """Work items in threads, at most `ahead` before their turn, and yield results in the items' order."""
    waiting: deque[tuple[K, Future[T]]] = deque()
    rest = iter(items)
    try:
        for item in islice(rest, ahead):
            waiting.append((item, pool.submit(work, item)))
        while waiting:
            item, future = waiting.popleft()
            result = future.result()
            for following in islice(rest, 1):
                waiting.append((following, pool.submit(work, following)))
            yield item, result
    finally:
        for _item, future in waiting:
            future.cancel()
