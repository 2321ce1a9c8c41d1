"""Options and stress: ten thousand at once, against vollib, QuantLib and plain loops on the same data."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import QuantLib as ql  # noqa: N813 - the name everybody knows it by
from vollib.black_scholes_merton import black_scholes_merton
from vollib.black_scholes_merton.greeks import analytical
from vollib.black_scholes_merton.implied_volatility import implied_volatility as solve_one

from bench.figures import Figure
from glassfolio.analytics.factors import MODELS, US_ETF
from glassfolio.analytics.implied import implied_volatility
from glassfolio.analytics.options import Terms, value
from glassfolio.analytics.scenarios import SCENARIOS
from glassfolio.analytics.shocks import FactorState, Shock, shocks_at
from glassfolio.analytics.stress import FactorBook, OptionBook, stress
from glassfolio.model.market import FloatArray, Panel
from glassfolio.model.results import NONE

TITLE = "Options and stress"
MANY, SAMPLE, REPEATS, SHOWN = 10_000, 500, 7, 20
GREEKS = ("delta", "gamma", "vega", "theta", "rho")


def times(work: Callable[[], object], repeats: int = REPEATS, scale: float = 1.0) -> list[float]:
    """Milliseconds of several runs, times `scale`."""
    spent = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        spent.append(1000 * scale * (time.perf_counter() - begun))
    return spent


def random_terms() -> Terms:
    """Options of one day to two years around the money."""
    rng = np.random.default_rng(0)
    spot = rng.uniform(20, 500, MANY)
    return Terms(
        call=rng.random(MANY) < 0.5,
        spot=spot,
        strike=spot * rng.uniform(0.8, 1.25, MANY),
        years=rng.integers(1, 730, MANY) / 365,
        rate=np.full(MANY, 0.04),
        dividend_yield=rng.uniform(0, 0.03, MANY),
        volatility=rng.uniform(0.1, 0.9, MANY),
    )


def rows(terms: Terms) -> list[tuple[str, float, float, float, float, float, float]]:
    """The first options as vollib takes them."""
    flags = np.where(terms.call, "c", "p").tolist()
    numbers = (terms.spot, terms.strike, terms.years, terms.rate, terms.volatility, terms.dividend_yield)
    return list(zip(flags, *(n.tolist() for n in numbers), strict=True))[:SAMPLE]


def by_vollib(terms: Terms) -> None:
    """Price and five Greeks, one option after the other."""
    for flag, s, k, t, r, v, q in rows(terms):
        black_scholes_merton(flag, s, k, t, r, v, q)
        for name in GREEKS:
            getattr(analytical, name)(flag, s, k, t, r, v, q)


def by_quantlib(terms: Terms) -> None:
    """The same on QuantLib: the pricing engine for each option, its process built once and moved."""
    today = ql.Date(2, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    days, never = ql.Actual365Fixed(), ql.NullCalendar()
    spot, rate, paid, volatility = (ql.SimpleQuote(x) for x in (100.0, 0.0, 0.0, 0.2))
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(spot),
        ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(paid), days)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(rate), days)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, never, ql.QuoteHandle(volatility), days)),
    )
    engine = ql.AnalyticEuropeanEngine(process)
    for flag, s, k, t, r, v, q in rows(terms):
        for quote, number in ((spot, s), (rate, r), (paid, q), (volatility, v)):
            quote.setValue(number)
        kind = ql.Option.Call if flag == "c" else ql.Option.Put
        expiry = ql.EuropeanExercise(today + round(t * 365))
        option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, k), expiry)
        option.setPricingEngine(engine)
        option.NPV()
        for name in GREEKS:
            getattr(option, name)()


def all_shocks() -> tuple[Shock, ...]:
    """Every scenario of the us-etf set, direct and correlated; replays have no prices here."""
    members = MODELS["risk"].members(US_ETF)
    rng = np.random.default_rng(1)
    mixed = rng.normal(0, 0.01, (600, len(members))) @ rng.normal(0, 1, (len(members), len(members)))
    close: FloatArray = np.full((2, len(US_ETF.series)), 100.0)
    days = np.arange("2024-01-02", "2024-01-04", dtype="datetime64[D]")
    panel = Panel(days, np.arange(2), US_ETF.series, close, np.ones_like(close), np.zeros_like(close), {})
    state = FactorState(members, np.ones(len(members), dtype=np.bool_), np.cov(mixed.T))
    return shocks_at(US_ETF, state, panel, 0.04, [s for s in SCENARIOS if not s.replay])


def random_book() -> FactorBook:
    """Ten thousand portfolios."""
    members = MODELS["risk"].members(US_ETF)
    shape = (MANY, len(members))
    dollars = np.random.default_rng(2).normal(0, 50_000, shape)
    none = np.full(shape, NONE, dtype=np.int8)
    return FactorBook(members, dollars, none, np.full(shape, 0.98), np.full(MANY, 100_000.0))


def one_by_one(book: FactorBook, shocks: tuple[Shock, ...]) -> None:
    """The bare sums, portfolio by portfolio and scenario by scenario."""
    for dollars, nav in zip(book.dollars[:SAMPLE], book.nav[:SAMPLE], strict=True):
        for shock in shocks:
            _ = float(dollars @ shock.returns) / nav


def figures() -> Iterator[Figure]:
    """Times in milliseconds; peers are timed on a sample of 500 and extrapolated."""
    terms = random_terms()
    ours, scale = times(lambda: value(terms)), MANY / SAMPLE
    vollib = ("vollib, one by one", times(lambda: by_vollib(terms), 3, scale))
    yield Figure("price and 5 Greeks, 10,000 options", "ms", ours, None, vollib)
    quantlib = ("QuantLib, one by one", times(lambda: by_quantlib(terms), 3, scale))
    yield Figure("price and 5 Greeks, 10,000 options", "ms", ours, None, quantlib)
    prices = value(terms).price
    lone = [
        (p, s, k, t, r, q, f) for p, (f, s, k, t, r, _, q) in zip(prices.tolist(), rows(terms), strict=False)
    ]
    solved = times(lambda: [solve_one(*row) for row in lone], 3, scale)
    yield Figure(
        "implied volatility, 10,000 prices",
        "ms",
        times(lambda: implied_volatility(terms, prices)),
        None,
        ("vollib, one by one", solved),
    )
    book, shocks = random_book(), all_shocks()
    shown = (*shocks[: SHOWN // 2], *shocks[-SHOWN // 2 :])
    yield Figure(
        f"{SHOWN} scenarios × 10,000 portfolios",
        "ms",
        times(lambda: stress(book, shown)),
        10.0,
        ("NumPy, one by one", times(lambda: one_by_one(book, shown), 3, scale)),
    )
    yield Figure(f"{len(shocks)} scenarios × 10,000 portfolios", "ms", times(lambda: stress(book, shocks)))
    alone = FactorBook(book.members, book.dollars[:1], book.reason[:1], book.coverage[:1], book.nav[:1])
    yield Figure(f"{len(shocks)} scenarios × 1 portfolio", "ms", times(lambda: stress(alone, shocks)))
    valued = value(terms)
    positions = OptionBook(
        portfolio=np.arange(MANY),
        size=np.full(MANY, 100.0),
        terms=terms,
        price=valued.price,
        delta=valued.delta,
        beta=np.random.default_rng(3).normal(0.5, 0.3, book.dollars.shape),
    )
    yield Figure(
        f"{SHOWN} scenarios × 10,000 portfolios with an option each",
        "ms",
        times(lambda: stress(book, shown, positions), 3),
    )
