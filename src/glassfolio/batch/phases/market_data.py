"""Market Data Collection: the prices that are missing, one range request per symbol.

Knows nothing of what prices are used for.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby

import sqlalchemy as sa

from glassfolio.batch import plan
from glassfolio.batch.phase import ChunkPlan, Closing, Payload, Phase, Plan, Result
from glassfolio.batch.task import Task
from glassfolio.errors import ProviderKeyRejected, ProviderRateLimited, ProviderUnavailable
from glassfolio.model.market import Bars, Failure, FailureKind, Interval
from glassfolio.model.run import Entry, FailureCode, PhaseName, SymbolOutcome
from glassfolio.progress.estimate import UNIT_SECONDS
from glassfolio.providers.base import Fetched
from glassfolio.store import market, rows

NAME = PhaseName("market_data", "phase_1", "Market Data Collection", "symbols")
# Failures that say something about the symbol itself and are remembered.
REMEMBERED = (FailureKind.NOT_FOUND, FailureKind.EMPTY)
# Failures that say the provider is in trouble: a chunk of nothing else ends the attempt.
PROVIDER_TROUBLE = (FailureKind.NETWORK, FailureKind.BLOCKED, FailureKind.RATE_LIMITED)
LATE_START_SESSIONS = 5
# Chunks that are fetched at the same time.
AT_ONCE = 4
# A provider that asks to wait is waited for, so long in all for one chunk.
LONGEST_WAIT = 3600.0


def make_plan(connection: sa.Connection, task: Task) -> Plan:
    """Each symbol's missing sessions; what is stored or known to be unknown is settled at once."""
    setup = task.setup
    answers = market.asked(connection, task.priced_symbols, setup.provider.name)
    missing, unknown = missing_prices(task, answers)
    terms = setup.provider.terms
    taught = rows.learned_seconds(connection, task.run_id, task.attempt, NAME.key)
    seconds = terms.seconds_per_request if taught is None else taught * AT_ONCE
    size = plan.fetch_size(seconds, terms.requests_per_second)
    rate = terms.requests_per_second
    chunks = tuple(
        ChunkPlan(
            len(piece), {"fetch": [[name, gap.start.isoformat(), gap.end.isoformat()] for name, gap in piece]}
        )
        for piece in plan.pieces(plan.by_interval(missing), size)
    )
    total, stored = len(task.priced_symbols), len(task.priced_symbols) - len(missing) - len(unknown)
    return Plan(
        total=total,
        chunks=chunks,
        cached=stored,
        failed=len(unknown),
        unit_seconds=terms.seconds_per_request / AT_ONCE + UNIT_SECONDS["symbols"],
        pace_seconds=1 / rate if rate else None,
        free_units=int(terms.burst) if rate else 0,
        at_once=AT_ONCE * size if rate else 1,
        outcomes=tuple(unknown),
        entries=(
            Entry("PLAN_READY", NAME.key, {"stored": stored, "symbols": total, "missing": len(missing)}),
        ),
    )


def missing_prices(
    task: Task, answers: Mapping[str, Sequence[market.Asked]]
) -> tuple[dict[str, Interval], list[SymbolOutcome]]:
    """What has to be asked, one range for a symbol; and the symbols that are known to be unknown.

    answers: what the provider was asked before about each symbol.
    """
    missing: dict[str, Interval] = {}
    unknown: list[SymbolOutcome] = []
    now = task.setup.clock.now()
    for symbol in task.priced_symbols:
        reason = plan.known_unknown(answers[symbol], now, task.asked_since)
        if task.attempt == 1 and reason:
            unknown.append(SymbolOutcome(symbol, "unknown", reason))
            continue
        gap = plan.missing_range(task.setup.sessions, task.grid_first, task.last, answers[symbol])
        if gap is not None:
            missing[symbol] = gap
    return missing, unknown


def work(task: Task, payload: Payload) -> Result:
    """Fetch a chunk's symbols. Raises ProviderFault when the provider itself is in trouble."""
    wanted = [
        (name, date.fromisoformat(start), date.fromisoformat(end)) for name, start, end in payload["fetch"]
    ]
    bars: list[Bars] = []
    failures: list[Failure] = []
    rejected: list[tuple[str, date, str]] = []
    for (start, end), group in groupby(wanted, key=lambda item: item[1:]):
        fetched = fetch(task, [name for name, _start, _end in group], start, end)
        bars += fetched.bars
        failures += fetched.failures
        rejected += [(q.symbol, q.session, q.reason) for q in fetched.quarantined]
    _raise_trouble(failures, len(wanted))
    intervals = {name: Interval(start, end) for name, start, end in wanted}
    with task.setup.database.reading() as connection:
        stored = market.revisions(connection, [failure.symbol for failure in failures])
    missed = [
        SymbolOutcome(
            f.symbol,
            "partial" if stored[f.symbol] else _outcome(f.kind),
            f.kind.value,
            retry_at=task.setup.clock.now() + timedelta(seconds=f.retry_after) if f.retry_after else None,
        )
        for f in failures
    ]
    return _result(task, bars, failures, missed, rejected, intervals)


def fetch(task: Task, symbols: Sequence[str], start: date, end: date) -> Fetched:
    """What the provider gives; what it refuses for its rate alone is asked for again when it allows that."""
    waits, provider = task.setup.waits, task.setup.provider
    got, waited, asked_blindly = provider.fetch(symbols, start, end), 0.0, False
    while limited := [f for f in got.failures if f.kind is FailureKind.RATE_LIMITED]:
        wait = max(f.retry_after or 0.0 for f in limited)
        if waited + wait > LONGEST_WAIT or (wait == 0 and asked_blindly) or waits.has_let_go(task.run_id):
            break
        # A provider that does not say how long is asked once more: by then its client may know.
        asked_blindly = wait == 0
        waits.sleep(wait)
        waited += wait
        more = provider.fetch([f.symbol for f in limited], start, end)
        kept = tuple(f for f in got.failures if f.kind is not FailureKind.RATE_LIMITED)
        got = Fetched((*got.bars, *more.bars), (*kept, *more.failures), (*got.quarantined, *more.quarantined))
    return got


def _raise_trouble(failures: Sequence[Failure], asked: int) -> None:
    kinds = [failure.kind for failure in failures]
    if FailureKind.UNAUTHORISED in kinds:
        raise ProviderKeyRejected
    if len(kinds) == asked and all(kind in PROVIDER_TROUBLE for kind in kinds):
        if FailureKind.RATE_LIMITED not in kinds:
            raise ProviderUnavailable
        raise ProviderRateLimited(max((f.retry_after or 0.0 for f in failures), default=0.0) or None)


def _result(
    task: Task,
    bars: Sequence[Bars],
    failures: Sequence[Failure],
    missed: Sequence[SymbolOutcome],
    rejected: Sequence[tuple[str, date, str]],
    intervals: dict[str, Interval],
) -> Result:
    provider, now = task.setup.provider.name, task.setup.clock.now()
    answers = [market.Asked(bar.symbol, intervals[bar.symbol], market.OK, now) for bar in bars]
    answers += [
        market.Asked(failure.symbol, intervals[failure.symbol], failure.kind.value, now)
        for failure in failures
        if failure.kind in REMEMBERED
    ]

    def write(connection: sa.Connection) -> None:
        market.write_bars(connection, provider, bars)
        market.write_quarantined(connection, provider, rejected)
        market.record_asked(
            connection, provider, answers, market.asked(connection, list(intervals), provider)
        )

    set_aside: dict[str, int] = {}
    for name, _session, _reason in rejected:
        set_aside[name] = set_aside.get(name, 0) + 1
    late = [bar for bar in bars if _starts_late(task, bar, intervals[bar.symbol])]
    return Result(
        items=tuple(intervals),
        failed=len(failures),
        write=write,
        outcomes=(
            *missed,
            *(SymbolOutcome(bar.symbol, "partial", "partial") for bar in late),
        ),
        entries=(
            *(
                Entry("SYMBOL_PARTIAL", NAME.key, {"symbol": bar.symbol, "date": str(bar.sessions[0])})
                for bar in late
            ),
            *(
                Entry("BARS_SET_ASIDE", NAME.key, {"symbol": name, "count": count})
                for name, count in set_aside.items()
            ),
        ),
    )


def _starts_late(task: Task, bar: Bars, interval: Interval) -> bool:
    """Whether a first fetch of a symbol begins clearly after what was asked for."""
    sessions = task.setup.sessions
    began = sessions.ordinal(bar.sessions[0].item())
    return (
        sessions.ordinal_from(interval.start) == task.grid_first
        and began - task.grid_first > LATE_START_SESSIONS
        and bar.symbol in task.held_symbols
    )


def _outcome(kind: FailureKind) -> str:
    return "rate_limited" if kind is FailureKind.RATE_LIMITED else "unknown"


def close(connection: sa.Connection, task: Task) -> Closing:
    """Without a single price for a portfolio of listed symbols there is nothing to go on with."""
    stored = market.revisions(connection, task.listed_symbols)
    only_listed = len(task.listed_symbols) == len(task.held_symbols)
    if stored and only_listed and not any(stored.values()):
        return Closing(failure=FailureCode.NO_PRICES_FOUND)
    return Closing()


PHASE = Phase(NAME, "Fetched prices for", make_plan, work, close, waits=True)
