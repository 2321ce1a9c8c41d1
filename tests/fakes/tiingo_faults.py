"""What can go wrong at Tiingo, by name: changes to the rows, and whole answers in their place.

Knows nothing of sockets.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypedDict


class Row(TypedDict):
    """One bar as Tiingo writes it; nulls stand where a live bar has no value yet."""

    date: str
    close: float | None
    high: float | None
    low: float | None
    open: float | None
    volume: int | None
    adjClose: float | None
    adjHigh: float | None
    adjLow: float | None
    adjOpen: float | None
    adjVolume: int | None
    divCash: float
    splitFactor: float


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


VOLUME = 1_000_000
LARGE_VOLUME = 5_000_000_000
DIVIDEND_SHARE = 0.01
SPLIT = 4.0


def make_row(day: date, close: float) -> Row:
    """A quiet bar at one price."""
    return Row(
        date=f"{day.isoformat()}T00:00:00.000Z",
        close=close,
        high=close,
        low=close,
        open=close,
        volume=VOLUME,
        adjClose=close,
        adjHigh=close,
        adjLow=close,
        adjOpen=close,
        adjVolume=VOLUME,
        divCash=0.0,
        splitFactor=1.0,
    )


def to_json(value: object) -> bytes:
    """The value as JSON bytes."""
    return json.dumps(value).encode("utf-8")


def _scale_close(row: Row, factor: float) -> None:
    if row["close"] is not None:
        row["close"] = round(row["close"] * factor, 6)


def _dividend(rows: list[Row]) -> list[Row]:
    """Raw closes before the ex-date lie one per cent above the adjusted ones."""
    middle = len(rows) // 2
    for row in rows[:middle]:
        _scale_close(row, 1.0 / (1.0 - DIVIDEND_SHARE))
    rows[middle]["divCash"] = round((rows[middle - 1]["close"] or 0.0) * DIVIDEND_SHARE, 6)
    return rows


def _split(rows: list[Row]) -> list[Row]:
    middle = len(rows) // 2
    for row in rows[:middle]:
        _scale_close(row, SPLIT)
    rows[middle]["splitFactor"] = SPLIT
    return rows


def _short_listing(rows: list[Row]) -> list[Row]:
    return rows[len(rows) // 2 :]


def _without_close(row: Row) -> None:
    row["close"] = row["adjClose"] = row["open"] = row["high"] = row["low"] = row["volume"] = None


def _live_last(rows: list[Row]) -> list[Row]:
    _without_close(rows[-1])
    return rows


def _null_inside(rows: list[Row]) -> list[Row]:
    _without_close(rows[len(rows) // 2])
    return rows


def _same_date_twice(rows: list[Row]) -> list[Row]:
    return [*rows[:2], rows[1], *rows[2:]]


def _two_closes_for_a_date(rows: list[Row]) -> list[Row]:
    other = rows[1].copy()
    _scale_close(other, 1.1)
    return [*rows[:2], other, *rows[2:]]


def _out_of_order(rows: list[Row]) -> list[Row]:
    return rows[::-1]


def _weekend(rows: list[Row]) -> list[Row]:
    first = date.fromisoformat(rows[0]["date"][:10])
    saturday = first + timedelta(days=(5 - first.weekday()) % 7)
    return [*rows, make_row(saturday, rows[0]["close"] or 1.0)]


def _out_of_range(rows: list[Row]) -> list[Row]:
    return [*rows, make_row(date(2012, 1, 3), rows[0]["close"] or 1.0)]


def _negative(rows: list[Row]) -> list[Row]:
    _scale_close(rows[len(rows) // 2], -1.0)
    return rows


def _zero(rows: list[Row]) -> list[Row]:
    _scale_close(rows[len(rows) // 2], 0.0)
    return rows


def _spike(rows: list[Row]) -> list[Row]:
    _scale_close(rows[len(rows) // 2], 10.0)
    return rows


def _large_volume(rows: list[Row]) -> list[Row]:
    rows[0]["volume"] = LARGE_VOLUME
    return rows


def _stale(rows: list[Row]) -> list[Row]:
    for row in rows[-12:]:
        row["close"], row["volume"] = rows[-12]["close"], 0
    return rows


ROW_FAULTS: Mapping[str, Callable[[list[Row]], list[Row]]] = {
    "good": list,
    "gzip": list,
    "dividend": _dividend,
    "split": _split,
    "short_listing": _short_listing,
    "live_last": _live_last,
    "null_inside": _null_inside,
    "same_date_twice": _same_date_twice,
    "two_closes_for_a_date": _two_closes_for_a_date,
    "out_of_order": _out_of_order,
    "weekend": _weekend,
    "out_of_range": _out_of_range,
    "negative": _negative,
    "zero": _zero,
    "spike": _spike,
    "large_volume": _large_volume,
    "stale": _stale,
    "empty": lambda _rows: [],
}

ALLOCATION = {"detail": "Error: You have run over your hourly request allocation."}
PAGE = b"<!doctype html><html><title>Before you continue</title></html>"

ANSWER_FAULTS: Mapping[str, Answer] = {
    "not_found": Answer(404, to_json({"detail": "Error: Ticker not found"})),
    "not_found_with_200": Answer(200, to_json({"detail": "Not found."})),
    "rate_limited": Answer(429, to_json(ALLOCATION)),
    "rate_limited_2s": Answer(429, to_json(ALLOCATION), {"Retry-After": "2"}),
    "rate_limited_1h": Answer(429, to_json(ALLOCATION), {"Retry-After": "3600"}),
    "rate_limited_with_200": Answer(200, to_json(ALLOCATION)),
    "rate_limited_sentence": Answer(200, b"You have run over your 500 symbol look up.", {}, "text/plain"),
    "unauthorised": Answer(401, to_json({"detail": "Invalid token."})),
    "no_token_403": Answer(403, to_json({"detail": "Please supply a token"})),
    "forbidden": Answer(403, to_json({"Error Message": "Legacy Endpoint"})),
    "html": Answer(200, PAGE, {}, "text/html; charset=utf-8"),
    "unknown_detail": Answer(200, to_json({"detail": "Something happened"})),
    "server_error": Answer(500, to_json({"detail": "Server error"})),
    "bad_request": Answer(400, to_json({"detail": "Error: startDate"})),
    "wrong_schema": Answer(200, to_json([{"date": "2020-01-02T00:00:00.000Z", "price": 3.0}])),
    "numbers_as_text": Answer(200, to_json([{"date": "2020-01-02T00:00:00.000Z", "close": "3.0"}])),
    "redirect": Answer(302, PAGE, {"Location": "/consent"}, "text/html"),
    "bad_gzip": Answer(200, b"this is not compressed", {"Content-Encoding": "gzip"}),
}

TRANSPORT_FAULTS = ("slow", "reset", "partial", "truncated", "too_large")
FAULTS = (*ROW_FAULTS, *ANSWER_FAULTS, *TRANSPORT_FAULTS)
