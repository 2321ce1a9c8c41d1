"""The catalogue of activity: code, level, sentence.

The only parameters are phase titles, dates, counts, validated symbols, clock times and reasons of a
closed list; there is no free text, so nothing private can enter the log.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from glassfolio.model.run import FailureCode, Level


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of activity; `sentence` is a format string over its parameters."""

    level: Level
    sentence: str


def _info(sentence: str) -> Message:
    return Message(Level.INFO, sentence)


def _warning(sentence: str) -> Message:
    return Message(Level.WARNING, sentence)


def _error(sentence: str) -> Message:
    return Message(Level.ERROR, sentence)


MESSAGES: Mapping[str, Message] = {
    "RUN_QUEUED": _info("Queued."),
    "RUN_STARTED": _info("Started: {symbols} symbols, {dates} trading days."),
    "PLAN_READY": _info("{stored} of {symbols} symbols are stored; {missing} to fetch."),
    "PHASE_STARTED": _info("{phase} started."),
    "SYMBOL_PROGRESS": _info("{doing} {count} of {total} symbols."),
    "DATE_PROGRESS": _info("Built {date} ({count} of {total})."),
    "SYMBOL_FAILED": _warning("{symbol}: {reason} {effect}"),
    "SYMBOL_PARTIAL": _warning(
        "{symbol}: prices from {date} only; numbers that need more history stay empty."
    ),
    "BARS_SET_ASIDE": _warning("{symbol}: {count} prices look wrong and were set aside."),
    "SYMBOL_RENAMED": _info("{old} is now {new}; its history is joined."),
    "LOT_NOT_VALUED": _warning("{symbol}: {reason} It is left out of the values and named in the results."),
    "WARN_POS_003": _warning(
        "{symbol}, entered on {date}: the price is more than half away from that day's close; perhaps a slip,"
        " or a split since then."
    ),
    "FACTOR_MISSING": _info("The factor {factor} has no data for this period; it is left out."),
    "EQUITY_DATE_MOVED": _warning("Prices end on {date}; your equity counts as that day's."),
    "PROVIDER_WAIT": _info("The price source asks us to wait until {until} UTC."),
    "PROVIDER_RESUMED": _info("Continuing."),
    "PROVIDER_FALLBACK": _warning("The first price source cannot be reached; using the second."),
    "PHASE_SKIPPED": _info("{phase}: nothing new to compute."),
    "PHASE_COMPLETED": _info("{phase} finished: {ok} of {total} {unit}, {took}."),
    "PHASE_FAILED": _error("{phase} stopped: {reason}"),
    "RUN_STALLED": _warning("No progress for {seconds} s; still alive."),
    "RUN_INTERRUPTED": _warning("The worker stopped; another one takes over."),
    "RUN_RESUMED": _info("Continuing at {count} of {total} {unit}."),
    "CANCEL_REQUESTED": _info("Cancel requested; finished work is kept."),
    "RUN_CANCELLED": _warning("Cancelled; finished work is kept."),
    "RUN_COMPLETED": _info("Done in {took}: {dates} days, {symbols} symbols."),
    "RUN_COMPLETED_WITH_WARNINGS": _warning(
        "Done in {took}, with gaps: {missing} of {symbols} symbols incomplete."
    ),
    "RUN_FAILED": _error("Failed: {reason} {action}"),
    "RETRY_STARTED": _info("{ordinal} attempt."),
}

# Why a symbol has no prices, and what follows; keys are model.market.FailureKind values.
SYMBOL_REASONS: Mapping[str, str] = {
    "not_found": "the price source does not know it.",
    "empty": "the price source has no prices for this period.",
    "rate_limited": "the price source allowed no more requests.",
    "blocked": "the price source refused the request.",
    "unauthorised": "the price source refused our key.",
    "bad_payload": "the price source sent prices that cannot be read.",
    "network": "the price source could not be reached.",
    "unsupported": "it has no exchange price.",
    "no_price": "it has no price.",
    "not_yet_held": "it was bought after the newest price.",
}


@dataclass(frozen=True, slots=True)
class SymbolAction:
    """What can be done about a symbol: a word for programs, and a sentence."""

    kind: str
    label: str


_CHECK = SymbolAction("fix_rows", "Check the symbol in your file.")
_ASK_AGAIN = SymbolAction("retry_failed", "Ask for it again.")

# What helps, by reason; nothing can be done about the others.
SYMBOL_ACTIONS: Mapping[str, SymbolAction] = {
    "not_found": _CHECK,
    "empty": _CHECK,
    "rate_limited": _ASK_AGAIN,
    "blocked": _ASK_AGAIN,
    "network": _ASK_AGAIN,
    "bad_payload": _ASK_AGAIN,
    "unauthorised": SymbolAction("check_key", "Ask the operator to check GLASSFOLIO_PROVIDER_KEY."),
}


def symbol_effect(outcome: str, reason: str) -> str:
    """What it means for the results that a symbol ended so."""
    if outcome != "partial":
        return "It is left out of values and factor results."
    return (
        "Numbers that need more history stay empty." if reason == "partial" else "Its stored prices are used."
    )


@dataclass(frozen=True, slots=True)
class FailureText:
    """How a failed attempt is told: what happened, what to do, and whether a retry can help."""

    reason: str
    action: str
    kind: str
    retryable: bool


FAILURES: Mapping[FailureCode, FailureText] = {
    FailureCode.PROVIDER_UNAVAILABLE: FailureText(
        "the price source does not answer.", "Try again later; what was fetched is kept.", "retry", True
    ),
    FailureCode.PROVIDER_RATE_LIMITED: FailureText(
        "the price source allows no more requests for now.",
        "Try again later; what was fetched is kept.",
        "wait",
        True,
    ),
    FailureCode.PROVIDER_KEY_REJECTED: FailureText(
        "the price source refused our key.",
        "Ask the operator to check GLASSFOLIO_PROVIDER_KEY, then retry.",
        "check_key",
        True,
    ),
    FailureCode.NO_PRICES_FOUND: FailureText(
        "no price was found for any symbol.", "Check the symbols in your file.", "fix_rows", True
    ),
    FailureCode.NOTHING_TO_VALUE: FailureText(
        "less than half of the holdings' value has a price.",
        "Check the symbols in your file.",
        "fix_rows",
        True,
    ),
    FailureCode.STORAGE_FULL: FailureText(
        "the disk is full.", "Free some space, then retry; what was stored is kept.", "free_space", True
    ),
    FailureCode.STORAGE_UNAVAILABLE: FailureText(
        "the database did not answer.", "Retry; what was stored is kept.", "retry", True
    ),
    FailureCode.INTERRUPTED_TOO_OFTEN: FailureText(
        "the work was interrupted several times in a row without getting on.",
        "Retry; if it happens again, ask the operator.",
        "contact_operator",
        True,
    ),
    FailureCode.DEADLINE_EXCEEDED: FailureText(
        "nothing got on for six hours.", "Retry; if it happens again, ask the operator.", "retry", True
    ),
    FailureCode.CANCELLED_BY_OPERATOR: FailureText(
        "the operator cancelled it.", "Retry to continue; finished work is kept.", "retry", True
    ),
    FailureCode.CANCELLED_BY_OWNER: FailureText(
        "you cancelled it.", "Retry to continue; finished work is kept.", "retry", True
    ),
    FailureCode.PORTFOLIO_DELETED: FailureText(
        "the portfolio was deleted.", "There is nothing to do.", "contact_operator", False
    ),
    FailureCode.INTERNAL_ERROR: FailureText(
        "something went wrong on our side.",
        "Retry; if it happens again, give the operator the error id.",
        "contact_operator",
        True,
    ),
}


# "1 symbols" and its like, which no count but one makes wrong.
ONE_OF_MANY = re.compile(r"(?<![0-9.,])1 (trading day|symbol|date|day|price)s\b")


def render(code: str, params: Mapping[str, str | int]) -> str:
    """The sentence of an activity."""
    return ONE_OF_MANY.sub(r"1 \1", MESSAGES[code].sentence.format(**params))


def level(code: str) -> Level:
    """The level of an activity."""
    return MESSAGES[code].level


def ordinal(number: int) -> str:
    """A number's place in words up to ten: First, Second … Tenth, then 11th."""
    words = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")
    if number <= len(words):
        return words[number - 1]
    last = number % 10 if number % 100 not in (11, 12, 13) else 0
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def duration(seconds: float) -> str:
    """A duration for people: 0.4 s, 41 s, 3 min 12 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
