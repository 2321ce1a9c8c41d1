"""Time as a provider's client sees it: how long to wait for what, and the calls that wait.

Knows nothing of HTTP or prices.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import SystemRandom

from glassfolio.clock import Clock, SystemClock

_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one request, in seconds.

    connect: to open the connection. read: between two pieces of the answer. total: for the whole answer.
    patience: the longest pause a client sits out itself before it hands the wait back to its caller.
    """

    connect: float = 5.0
    read: float = 10.0
    total: float = 30.0
    patience: float = 10.0


@dataclass(frozen=True, slots=True)
class Timing:
    """The calls that tell, spend and scatter time; tests pass their own.

    monotonic: seconds from an arbitrary start. uniform: a random number between its two arguments.
    """

    clock: Clock = field(default_factory=SystemClock)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = _RANDOM.uniform
