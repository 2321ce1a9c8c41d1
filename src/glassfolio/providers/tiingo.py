"""Daily bars from Tiingo's end-of-day endpoint: raw close, adjusted close, dividends and splits in one row.

One request a symbol. Knows nothing of storage or of which symbols are worth asking for.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from glassfolio.errors import SettingsError
from glassfolio.model.market import Bars, Basis, Failure, FailureKind
from glassfolio.providers.base import Fetched, ProviderSettings, Quarantined, Refusal, Terms, Throttle
from glassfolio.providers.http import HttpClient, Reply, Service
from glassfolio.providers.quality import RawBars, inspect

ORIGIN = "https://api.tiingo.com"
# The free plan allows 50 requests an hour: half of them at once, the other half spread over the hour.
FREE_BURST = 25.0
FREE_REQUESTS_PER_SECOND = 25 / 3600
TICKER = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,23}")
OPTION = re.compile(r"[A-Z]{1,6}[0-9]{6}[CP][0-9]{8}")
SAID: Mapping[FailureKind, re.Pattern[str]] = {
    FailureKind.RATE_LIMITED: re.compile(r"run over|allocation|too many|rate limit|exceeded", re.IGNORECASE),
    FailureKind.NOT_FOUND: re.compile(r"not found|does not exist|not supported", re.IGNORECASE),
    FailureKind.UNAUTHORISED: re.compile(r"token|credential|authenticat", re.IGNORECASE),
}


def _as_day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError
    return date.fromisoformat(value[:10])


class _Row(BaseModel):
    model_config = ConfigDict(strict=True)

    day: Annotated[date, BeforeValidator(_as_day)] = Field(alias="date")
    close: float | None
    adj_close: float | None = Field(default=None, alias="adjClose")
    dividend: float | None = Field(default=None, alias="divCash")
    split: float | None = Field(default=None, alias="splitFactor")
    volume: Annotated[float, Field(lt=2**63, allow_inf_nan=False)] | None = None


class _Message(BaseModel):
    detail: str


_ROWS = TypeAdapter(list[_Row])


class TiingoProvider:
    """A client of api.tiingo.com; raises SettingsError when the address or the key cannot be used."""

    name = "tiingo"

    def __init__(self, settings: ProviderSettings, throttle: Throttle) -> None:
        key = settings.key.strip()
        if not (key.isascii() and key.isprintable()):
            raise SettingsError("The provider's key has characters that a request cannot carry.")
        headers = {"Authorization": f"Token {key}"} if key else {}
        service = Service(settings.url or ORIGIN, headers, key, read_refusal)
        self._calendar = settings.sessions
        self._has_key = bool(key)
        self._client = HttpClient(service, throttle, settings.timing, settings.timeouts)
        self.close = self._client.close
        self.terms = Terms(
            batch=1,
            requests_per_second=FREE_REQUESTS_PER_SECOND if settings.rate is None else settings.rate,
            burst=FREE_BURST if settings.rate is None else max(1.0, settings.rate),
            seconds_per_request=0.3,
            basis=Basis.AS_TRADED,
            needs_key=True,
            close_delay=timedelta(minutes=90),
        )

    def newest_session(self) -> date | None:
        """None: Tiingo is live."""
        return None

    def oldest_session(self) -> date | None:
        """None: decades back, and different for each symbol."""
        return None

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Fetched:
        """Daily bars of `symbols` from `start` to `end`, both inclusive; one request for each symbol."""
        bars: list[Bars] = []
        failures: list[Failure] = []
        apart: list[Quarantined] = []
        for symbol in dict.fromkeys(symbols):
            outcome, quarantined = self._fetch_one(symbol, start, end)
            apart += quarantined
            if isinstance(outcome, Bars):
                bars.append(outcome)
            else:
                failures.append(outcome.of(symbol))
        return Fetched(tuple(bars), tuple(failures), tuple(apart))

    def _fetch_one(
        self, symbol: str, start: date, end: date
    ) -> tuple[Bars | Refusal, tuple[Quarantined, ...]]:
        ticker = spell(symbol)
        if ticker is None:
            return Refusal(FailureKind.UNSUPPORTED, None, "not a ticker of a stock or fund"), ()
        if not self._has_key:
            return Refusal(FailureKind.UNAUTHORISED, None, "no key is set"), ()
        asked = {"startDate": start.isoformat(), "endDate": end.isoformat()}
        reply = self._client.get(f"/tiingo/daily/{ticker}/prices", asked)
        raw = reply if isinstance(reply, Refusal) else read_rows(symbol, reply.body)
        if isinstance(raw, Refusal):
            return raw, ()
        bars, apart = inspect(raw, self._calendar, start, end)
        if bars is not None:
            return bars, apart
        kind = FailureKind.BAD_PAYLOAD if apart else FailureKind.EMPTY
        return Refusal(kind, None, f"{len(apart)} bars, none of them believable" if apart else ""), apart


def spell(symbol: str) -> str | None:
    """The symbol in Tiingo's spelling (BRK.B and BRK/B are BRK-B); None when it cannot be asked for."""
    ticker = symbol.upper().replace(".", "-").replace("/", "-")
    return ticker if TICKER.fullmatch(ticker) and not OPTION.fullmatch(ticker) else None


def read_refusal(reply: Reply) -> Refusal | None:
    """The refusal in an answer that is a sentence or an object with `detail` instead of rows."""
    if reply.body.lstrip()[:1] == b"[":
        return None
    try:
        said = _Message.model_validate_json(reply.body).detail
    except ValidationError:
        said = "" if reply.body.lstrip()[:1] == b"{" else reply.sample
    for kind, pattern in SAID.items():
        if pattern.search(said):
            return Refusal(kind, reply.retry_after, said[:200])
    return None


def read_rows(symbol: str, body: bytes) -> RawBars | Refusal:
    """The rows of an answer as arrays, or a refusal with the place and the kind of the first fault."""
    try:
        rows = _ROWS.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return Refusal(FailureKind.BAD_PAYLOAD, None, f"{first['type']} at {place or 'the top'}")
    return RawBars(
        symbol,
        Basis.AS_TRADED,
        np.array([row.day for row in rows], dtype="datetime64[D]"),
        np.array([np.nan if row.close is None else row.close for row in rows], dtype=np.float64),
        np.array([1.0 if row.split is None else row.split for row in rows], dtype=np.float64),
        np.array([0.0 if row.dividend is None else row.dividend for row in rows], dtype=np.float64),
        np.array([np.nan if row.adj_close is None else row.adj_close for row in rows], dtype=np.float64),
        np.array([-1 if row.volume is None else int(row.volume) for row in rows], dtype=np.int64),
    )
