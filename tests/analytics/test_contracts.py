"""Prices of option contracts from entry to settlement: stated, modelled, carried, settled (B5)."""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vollib.black_scholes_merton import black_scholes_merton
from vollib.black_scholes_merton.greeks import analytical
from vollib.black_scholes_merton.implied_volatility import implied_volatility

from glassfolio.analytics.contracts import (
    ContractPaths,
    Contracts,
    StatedPrices,
    Underlyings,
    expiry_sessions,
    price_contracts,
    trailing_yield,
)
from glassfolio.analytics.options import value
from glassfolio.analytics.returns import carry
from glassfolio.model.market import FloatArray, IntArray
from glassfolio.model.results import NONE, Reason, Warning_
from glassfolio.sessions import Sessions, load
from tests.analytics.books import assert_same_bits

NAN = float("nan")
DAY = 86_400
MODEL, STALE = Warning_.MODEL_PRICE.bit, Warning_.STALE_PRICE.bit
NO_INPUTS, OVER = Reason.NO_MODEL_INPUTS.code, Reason.NOT_APPLICABLE.code


@dataclass(frozen=True)
class Option:
    """One contract, on the underlying of column 0 unless said otherwise; open past the grid."""

    strike: float = 100.0
    call: bool = True
    expiry: int = 1000
    column: int = 0
    basis: int = 1000
    adjusted: bool = False
    days: int | None = None


@dataclass(frozen=True)
class Stated:
    """A price somebody stated for contract `of`."""

    row: int
    price: float
    of: int = 0
    weight: float = 1.0
    mark: bool = False


@dataclass(frozen=True)
class Scene:
    """Everything `price_contracts` needs; sessions are a day apart."""

    options: tuple[Option, ...]
    stated: tuple[Stated, ...]
    close: FloatArray
    split: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    volatility: FloatArray

    @property
    def closes(self) -> IntArray:
        return 1_700_000_000 + DAY * np.arange(len(self.close), dtype=np.int64)

    def price(self) -> ContractPaths:
        o, s = self.options, self.stated
        days = [x.days if x.days is not None else x.expiry for x in o]
        contracts = Contracts(
            call=np.array([x.call for x in o], dtype=np.bool_),
            strike=np.array([x.strike for x in o], dtype=np.float64),
            basis=np.array([x.basis for x in o], dtype=np.int64),
            underlying=np.array([x.column for x in o], dtype=np.int64),
            expiry=np.array([x.expiry for x in o], dtype=np.int64),
            expires_at=1_700_000_000 + DAY * np.array(days, dtype=np.int64),
            adjusted=np.array([x.adjusted for x in o], dtype=np.bool_),
        )
        stated = StatedPrices(
            contract=np.array([x.of for x in s], dtype=np.int64),
            row=np.array([x.row for x in s], dtype=np.int64),
            price=np.array([x.price for x in s], dtype=np.float64),
            weight=np.array([x.weight for x in s], dtype=np.float64),
            mark=np.array([x.mark for x in s], dtype=np.bool_),
        )
        spot = carry(self.close, self.split)
        market = Underlyings(self.closes, spot, self.split, self.rate, self.dividend_yield, self.volatility)
        return price_contracts(contracts, stated, market)


def scene(
    options: Option | tuple[Option, ...],
    *stated: Stated,
    close: list[float] | FloatArray | None = None,
    split: dict[int, float] | None = None,
    volatility: float = 0.25,
    rate: float = 0.03,
) -> Scene:
    """One underlying that stays at 100 for ten sessions unless told otherwise."""
    prices = np.array([100.0] * 10 if close is None else close, dtype=np.float64).reshape(-1, 1)
    factors = np.ones_like(prices)
    for row, factor in (split or {}).items():
        factors[row] = factor
    flat = np.ones_like(prices)
    all_options = options if isinstance(options, tuple) else (options,)
    return Scene(all_options, stated, prices, factors, rate * flat[:, 0], 0.01 * flat, volatility * flat)


def bsm(call: bool, spot: float, strike: float, days: float, volatility: float, rate: float = 0.03) -> float:
    truth = black_scholes_merton("c" if call else "p", spot, strike, days / 365, rate, volatility, 0.01)
    return float(truth)


def test_on_its_date_a_contract_has_its_stated_price() -> None:
    got = scene(Option(), Stated(3, 4.2), Stated(6, 5.1, mark=True)).price()
    assert (got.price[3, 0], got.price[6, 0]) == (4.2, 5.1)
    np.testing.assert_array_equal(got.warnings[:, 0] & MODEL == 0, np.isin(np.arange(10), [3, 6]))
    assert (got.stale == 0).all()


def test_before_anything_is_stated_the_underlyings_volatility_makes_the_price() -> None:
    got = scene(Option(105, expiry=40), Stated(6, 2.0)).price()
    assert got.price[2, 0] == pytest.approx(bsm(True, 100, 105, 38, 0.25), rel=1e-9)
    assert got.terms.volatility[2, 0] == 0.25
    assert got.warnings[2, 0] == MODEL


def test_between_stated_prices_the_latest_implied_volatility_sticks() -> None:
    """The fill first, then the broker's mark; never the later one before its date."""
    got = scene(Option(105, expiry=40), Stated(2, 2.0), Stated(6, 1.0, mark=True)).price()
    first = implied_volatility(2.0, 100, 105, 38 / 365, 0.03, 0.01, "c")
    second = implied_volatility(1.0, 100, 105, 34 / 365, 0.03, 0.01, "c")
    np.testing.assert_allclose(got.terms.volatility[2:6, 0], first, rtol=1e-9)
    np.testing.assert_allclose(got.terms.volatility[6:, 0], second, rtol=1e-9)
    assert got.price[4, 0] == pytest.approx(bsm(True, 100, 105, 36, first), rel=1e-9)
    assert got.price[9, 0] == pytest.approx(bsm(True, 100, 105, 31, second), rel=1e-9)


def test_a_stated_price_that_no_volatility_explains_leaves_the_one_before_it() -> None:
    """Below the value of certain exercise; the first such price leaves the underlying's volatility."""
    deep = Option(60, expiry=40)
    got = scene(deep, Stated(1, 39.0), Stated(3, 40.5), Stated(6, 12.0)).price()
    sticky = implied_volatility(40.5, 100, 60, 37 / 365, 0.03, 0.01, "c")
    assert got.price[1, 0] == 39.0
    np.testing.assert_array_equal(got.terms.volatility[1:3, 0], 0.25)
    np.testing.assert_allclose(got.terms.volatility[3:, 0], sticky, rtol=1e-9)


def test_a_fill_on_a_session_without_a_close_of_the_underlying_implies_nothing() -> None:
    got = scene(Option(105, expiry=40), Stated(3, 2.0), close=[100, 100, 100, NAN, 100]).price()
    assert got.price[3, 0] == 2.0
    np.testing.assert_array_equal(got.terms.volatility[:, 0], 0.25)


def test_a_model_price_is_not_below_intrinsic_value() -> None:
    """A deep put of the closed form is worth less than its exercise."""
    got = scene(Option(200, call=False, expiry=400)).price()
    assert bsm(False, 100, 200, 400, 0.25) < 100
    np.testing.assert_array_equal(got.price[:, 0], 100)
    assert got.greeks.delta[0, 0] > -1


def test_a_mark_stands_above_fills_of_its_session_and_fills_are_averaged() -> None:
    both = (Stated(3, 4.0, weight=3), Stated(3, 5.0, weight=1))
    assert scene(Option(), *both).price().price[3, 0] == 4.25
    assert scene(Option(), *both, Stated(3, 4.1, mark=True)).price().price[3, 0] == 4.1


def test_an_option_is_never_priced_by_its_underlying() -> None:
    """Pitfall: ten calls that cost 5,000 USD became 600,000 when marked at the stock's price.

    A contract with neither stated price nor model inputs has no price at all.
    """
    etf = scene(Option(600, expiry=30), Stated(0, 5.0), close=[600.0] * 10).price()
    assert 10 * 100 * etf.price[0, 0] == 5000
    assert (etf.price < 15).all()
    bare = scene(Option(600, column=-1), close=[600.0] * 10).price()
    assert np.isnan(bare.price).all()
    assert (bare.reason == NO_INPUTS).all()
    assert (bare.stale == -1).all()
    assert (bare.split == 1).all()


def test_missing_inputs_are_named_and_the_last_stated_price_is_carried() -> None:
    one = scene(Option(), Stated(4, 3.0))
    got = replace(one, rate=np.full(10, NAN)).price()
    np.testing.assert_array_equal(got.reason[:, 0], [NO_INPUTS] * 4 + [NONE] * 6)
    np.testing.assert_array_equal(got.price[4:, 0], 3.0)
    np.testing.assert_array_equal(got.stale[:, 0], [-1] * 4 + [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(got.warnings[:, 0], [0] * 5 + [STALE] * 5)
    np.testing.assert_array_equal(got.exposure_reason, NO_INPUTS)
    assert np.isnan(got.exposure_price).all()


def test_a_missing_close_of_the_underlying_is_carried_into_the_model_and_said() -> None:
    got = scene(Option(105, expiry=40), close=[100, 102, NAN, NAN, 103]).price()
    assert got.price[3, 0] == pytest.approx(bsm(True, 102, 105, 37, 0.25), rel=1e-9)
    np.testing.assert_array_equal(got.stale[:, 0], [0, 0, 1, 2, 0])
    np.testing.assert_array_equal(got.warnings[:, 0], [MODEL, MODEL, MODEL | STALE, MODEL | STALE, MODEL])


def test_an_adjusted_contract_is_valued_from_stated_prices_only() -> None:
    got = scene(Option(adjusted=True, expiry=8), Stated(2, 3.0), Stated(5, 3.5, mark=True)).price()
    np.testing.assert_array_equal(got.price[:, 0], [NAN, NAN, 3, 3, 3, 3.5, 3.5, 3.5, 3.5, NAN])
    assert (got.exposure_reason[:8] == NO_INPUTS).all()


def test_a_fill_before_the_grid_is_carried_where_nothing_else_prices() -> None:
    got = scene(Option(adjusted=True), Stated(-1, 3.0), Stated(-40, 3.0)).price()
    np.testing.assert_array_equal(got.price[:, 0], 3.0)
    np.testing.assert_array_equal(got.stale[:, 0], np.arange(1, 11))


def test_a_price_stated_after_the_grid_is_not_read() -> None:
    assert_same(scene(Option()).price(), scene(Option(), Stated(10, 9.0)).price())


# --- splits ---------------------------------------------------------------------------------------------


def test_a_whole_split_makes_more_contracts_of_a_smaller_strike() -> None:
    """Four for one at row 5: before it the strike was 400, and a fill of 8 stated on today's basis was 32."""
    close = [400.0] * 5 + [100.0] * 5
    got = scene(Option(105, expiry=40), Stated(2, 2.0), close=close, split={5: 4}).price()
    np.testing.assert_array_equal(got.split[:, 0], [1] * 5 + [4] + [1] * 4)
    assert got.price[2, 0] == 8.0
    sticky = implied_volatility(8.0, 400, 420, 38 / 365, 0.03, 0.01, "c")
    assert got.price[3, 0] == pytest.approx(bsm(True, 400, 420, 37, sticky), rel=1e-9)
    assert got.price[7, 0] == pytest.approx(bsm(True, 100, 105, 33, sticky), rel=1e-9)
    assert got.greeks.delta[7, 0] == pytest.approx(
        analytical.delta("c", 100, 105, 33 / 365, 0.03, sticky, 0.01), rel=1e-9
    )


def test_a_split_changes_nothing_about_a_positions_value() -> None:
    """The same path with and without a 2:1 split; prices halve, contracts double."""
    drift = np.linspace(100, 110, 10)
    halved = np.where(np.arange(10) >= 4, drift / 2, drift)
    plain = scene(Option(104, expiry=30), Stated(1, 3.0), close=drift).price()
    split = scene(Option(52, expiry=30), Stated(1, 1.5), close=halved, split={4: 2}).price()
    contracts = np.cumprod(split.split, axis=0)
    np.testing.assert_allclose(contracts * split.price, plain.price, rtol=1e-12)
    np.testing.assert_allclose(contracts * split.exposure_price, plain.exposure_price, rtol=1e-12)
    np.testing.assert_allclose(split.greeks.delta, plain.greeks.delta, rtol=1e-12)


def test_terms_of_a_file_from_before_a_split_hold_before_it() -> None:
    close = [400.0] * 5 + [100.0] * 5
    got = scene(Option(420, basis=2, expiry=40), close=close, split={5: 4}).price()
    assert got.price[3, 0] == pytest.approx(bsm(True, 400, 420, 37, 0.25), rel=1e-9)
    assert got.price[7, 0] == pytest.approx(bsm(True, 100, 105, 33, 0.25), rel=1e-9)
    early = scene(Option(420, basis=-1, expiry=40), close=close, split={5: 4}).price()
    assert_same(early, got)
    same_day = scene(Option(105, basis=5, expiry=40), close=close, split={5: 4}).price()
    assert_same(same_day, got)


@pytest.mark.parametrize("factor", [1.5, 0.1])
def test_beyond_a_split_that_is_not_whole_only_stated_prices_count(factor: float) -> None:
    one = scene(Option(105, expiry=40), Stated(1, 2.0), split={5: factor})
    got = one.price()
    np.testing.assert_array_equal(got.split[:, 0], 1)
    np.testing.assert_array_equal(got.price[:5, 0], [NAN, 2, 2, 2, 2])
    np.testing.assert_array_equal(got.exposure_reason[:, 0], [NO_INPUTS] * 5 + [NONE] * 5)
    np.testing.assert_array_equal(got.terms.volatility[5:, 0], 0.25)
    before = replace(one, options=(replace(one.options[0], basis=4),)).price()
    np.testing.assert_array_equal(before.exposure_reason[:, 0], [NONE] * 5 + [NO_INPUTS] * 5)


# --- expiry ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "last", "settlement"),
    [(True, 112, 12), (True, 100, 0), (True, 91, 0), (False, 112, 0), (False, 100, 0), (False, 91, 9)],
)
def test_at_its_expiry_a_contract_settles_at_intrinsic_value(
    call: bool, last: float, settlement: float
) -> None:
    """In, at and out of the money; from then on there is no price, exposure or Greek."""
    got = scene(Option(call=call, expiry=4), Stated(1, 2.5), close=[100, 101, 99, 100, last, 105]).price()
    assert got.price[4, 0] == settlement
    assert got.warnings[4, 0] == 0
    np.testing.assert_array_equal(got.reason[:, 0], [NONE] * 5 + [OVER])
    np.testing.assert_array_equal(got.exposure_reason[:, 0], [NONE] * 4 + [OVER] * 2)
    assert np.isnan(got.price[5, 0])
    assert np.isnan(got.exposure_price[4:]).all()
    assert all(np.isnan(greek[4:]).all() for greek in vars(got.greeks).values())


def test_a_settlement_on_a_carried_price_says_so() -> None:
    got = scene(Option(expiry=2), close=[100, 107, NAN, 90]).price()
    assert (got.price[2, 0], got.stale[2, 0], got.warnings[2, 0]) == (7, 1, STALE)


def test_a_price_stated_on_the_last_day_does_not_replace_the_settlement() -> None:
    got = scene(Option(expiry=2), Stated(2, 6.5, mark=True), close=[100, 100, 107]).price()
    assert got.price[2, 0] == 7


def test_a_contract_that_ended_before_the_grid_has_nothing() -> None:
    got = scene(Option(expiry=-3), Stated(-5, 2.0)).price()
    assert np.isnan(got.price).all()
    assert (got.reason == OVER).all()
    assert (got.exposure_reason == OVER).all()


def test_an_adjusted_contract_settles_at_its_last_stated_price() -> None:
    got = scene(Option(adjusted=True, expiry=3), Stated(1, 2.0), close=[100, 100, 100, 130]).price()
    assert (got.price[3, 0], got.stale[3, 0], got.warnings[3, 0]) == (2.0, 2, STALE)


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    folder: Path = tmp_path_factory.mktemp("sessions")
    return load(folder)


@pytest.mark.parametrize(
    ("expiry", "last"),
    [
        (date(2024, 1, 19), date(2024, 1, 19)),
        (date(2022, 4, 15), date(2022, 4, 14)),  # Good Friday
        (date(2015, 1, 17), date(2015, 1, 16)),  # a Saturday
        (date(2024, 11, 29), date(2024, 11, 29)),  # closes at 13:00
    ],
)
def test_an_expiry_that_is_no_session_moves_to_the_session_before(
    calendar: Sessions, expiry: date, last: date
) -> None:
    (ordinal,) = expiry_sessions(calendar.dates, np.array([expiry], dtype="datetime64[D]"))
    assert calendar.day(int(ordinal)) == last
    close = datetime.fromtimestamp(int(calendar.closes[ordinal]), ZoneInfo("America/New_York"))
    assert (close.hour, close.date()) == (13 if last == date(2024, 11, 29) else 16, last)


def test_an_expiry_before_the_calendar_has_no_session(calendar: Sessions) -> None:
    assert expiry_sessions(calendar.dates, np.array(["1980-01-18"], dtype="datetime64[D]"))[0] == -1


def test_time_is_counted_in_seconds_from_close_to_close(calendar: Sessions) -> None:
    """The half-day after Thanksgiving ends three hours early; the server's own date plays no part."""
    first, last = calendar.ordinal(date(2024, 11, 26)), calendar.ordinal(date(2024, 11, 29))
    closes = calendar.closes[first : last + 1]
    rows = len(closes)
    flat = np.ones((rows, 1))
    contracts = Contracts(
        call=np.array([True]),
        strike=np.array([100.0]),
        basis=np.array([rows]),
        underlying=np.array([0]),
        expiry=np.array([rows - 1]),
        expires_at=closes[-1:],
        adjusted=np.array([False]),
    )
    nothing = StatedPrices(
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.bool_)
    )
    spot = carry(100 * flat, flat)
    market = Underlyings(closes, spot, flat, 0.03 * flat[:, 0], 0.01 * flat, 0.25 * flat)
    got = price_contracts(contracts, nothing, market)
    assert got.price[0, 0] == pytest.approx(bsm(True, 100, 100, 3 - 3 / 24, 0.25), rel=1e-9)
    assert got.price[1, 0] == pytest.approx(bsm(True, 100, 100, 2 - 3 / 24, 0.25), rel=1e-9)


# --- exposure, yields, properties -----------------------------------------------------------------------


def test_exposure_is_delta_times_the_underlying_and_not_times_the_premium() -> None:
    """Pitfall: delta times premium understates by S over premium. A deep call is close to the stock."""
    deep = scene(Option(30, expiry=300)).price()
    assert deep.exposure_price[0, 0] == pytest.approx(100, rel=0.01)
    atm = scene(Option(100, expiry=30)).price()
    delta = analytical.delta("c", 100, 100, 30 / 365, 0.03, 0.25, 0.01)
    assert atm.exposure_price[0, 0] == pytest.approx(100 * delta, rel=1e-9)
    put = scene(Option(100, call=False, expiry=30)).price()
    assert put.exposure_price[0, 0] < 0


def test_greeks_are_per_share_and_of_the_sessions_own_terms() -> None:
    got = scene(Option(105, call=False, expiry=45), Stated(2, 7.0)).price()
    sigma = implied_volatility(7.0, 100, 105, 43 / 365, 0.03, 0.01, "p")
    for name in ("delta", "gamma", "vega", "theta", "rho"):
        truth = getattr(analytical, name)("p", 100, 105, 40 / 365, 0.03, sigma, 0.01)
        assert getattr(got.greeks, name)[5, 0] == pytest.approx(truth, rel=1e-8), name


def test_each_contract_has_the_figures_of_its_own_underlying() -> None:
    two = Scene(
        options=(Option(50, column=1, expiry=40), Option(100, column=0, expiry=40), Option(column=-1)),
        stated=(),
        close=np.tile([100.0, 50.0], (4, 1)),
        split=np.ones((4, 2)),
        rate=np.full(4, 0.03),
        dividend_yield=np.full((4, 2), 0.01),
        volatility=np.tile([0.2, 0.4], (4, 1)),
    ).price()
    assert two.price[0, 0] == pytest.approx(bsm(True, 50, 50, 40, 0.4), rel=1e-9)
    assert two.price[0, 1] == pytest.approx(bsm(True, 100, 100, 40, 0.2), rel=1e-9)
    assert np.isnan(two.price[0, 2])


def test_no_contracts_are_no_trouble() -> None:
    assert scene(()).price().price.shape == (10, 0)


def test_a_dividend_yield_is_the_last_years_dividends_over_the_price() -> None:
    """Per share of the session: a dividend of 1 before a 2:1 split is half of that after it."""
    spot = np.full((300, 1), 100.0)
    spot[100:] = 50
    split, dividend = np.ones((300, 1)), np.zeros((300, 1))
    split[100], dividend[[20, 83, 146, 209]] = 2, np.array([[1.0], [1.0], [0.5], [0.5]])
    got = trailing_yield(spot, split, dividend)[:, 0]
    assert got[19] == 0
    assert (got[20], got[90], got[99]) == (0.01, 0.02, 0.02)
    assert (got[100], got[209], got[271]) == (0.02, 0.04, 0.04)
    assert got[272] == pytest.approx(0.03)
    spot[150] = NAN
    assert np.isnan(trailing_yield(spot, split, dividend)[150, 0])


def assert_same(left: ContractPaths, right: ContractPaths, until: int | None = None) -> None:
    """Equal to the last bit, up to and including row `until`."""

    def parts(paths: ContractPaths) -> dict[str, FloatArray]:
        own = {f.name: getattr(paths, f.name) for f in fields(paths) if f.name not in ("greeks", "terms")}
        own |= {f"greeks.{name}": part for name, part in vars(paths.greeks).items()}
        own |= {f"terms.{name}": part for name, part in vars(paths.terms).items()}
        return {name: part[: None if until is None else until + 1] for name, part in own.items()}

    assert_same_bits(parts(left), parts(right))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Random walks with holes, whole and other splits, and contracts with stated prices."""
    rows, columns = draw(st.integers(2, 12)), 2
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, (rows, columns)), axis=0))
    close[rng.random(close.shape) < 0.15] = NAN
    split = np.where(rng.random(close.shape) < 0.1, rng.choice([2.0, 3.0, 1.5], close.shape), 1.0)
    options = tuple(
        Option(
            strike=float(rng.uniform(60, 150)),
            call=bool(rng.random() < 0.5),
            expiry=int(rng.integers(1, 20)),
            column=int(rng.integers(-1, columns)),
            basis=int(rng.integers(-1, rows + 2)),
            adjusted=bool(rng.random() < 0.15),
        )
        for _ in range(draw(st.integers(1, 4)))
    )
    stated = tuple(
        Stated(
            row=int(rng.integers(-2, rows + 1)),
            price=float(np.round(rng.uniform(0.05, 30), 2)),
            of=int(rng.integers(len(options))),
            weight=float(rng.integers(1, 20)),
            mark=bool(rng.random() < 0.3),
        )
        for _ in range(draw(st.integers(0, 6)))
    )
    shape = close.shape
    return Scene(
        options,
        tuple({(s.row, s.of, s.mark): s for s in stated}.values()),
        close,
        split,
        rng.uniform(-0.01, 0.06, rows),
        rng.uniform(0, 0.04, shape),
        np.where(rng.random(shape) < 0.1, NAN, rng.uniform(0.1, 0.8, shape)),
    )


@given(scenes(), st.data())
@settings(max_examples=150, deadline=None)
def test_past_prices_and_greeks_do_not_change_tomorrow(one: Scene, data: st.DataObject) -> None:
    """No look-ahead: whatever is altered after a session changes nothing up to it.

    Splits are left alone: between a session and the basis they say which contract it is.
    """
    rows = len(one.close)
    t = data.draw(st.integers(0, rows - 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    later = np.arange(rows) > t

    def altered(grid: FloatArray) -> FloatArray:
        mask = later if grid.ndim == 1 else later[:, None]
        return np.where(mask, grid * rng.uniform(0.5, 1.5, grid.shape), grid)

    said = tuple(replace(s, price=s.price * 1.3) if s.row > t else s for s in one.stated)
    other = replace(
        one,
        stated=(*said, Stated(t + 1, 7.77)),
        close=altered(one.close),
        rate=altered(one.rate),
        dividend_yield=altered(one.dividend_yield),
        volatility=altered(one.volatility),
    )
    assert_same(one.price(), other.price(), until=t)


@given(scenes(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_stated_prices_and_the_other_contracts_change_no_bit(one: Scene, random: Random) -> None:
    shuffled = list(one.stated)
    random.shuffle(shuffled)
    assert_same(one.price(), replace(one, stated=tuple(shuffled)).price())
    alone = replace(one, options=one.options[:1], stated=tuple(s for s in one.stated if s.of == 0)).price()
    together = one.price()
    np.testing.assert_array_equal(together.price[:, :1], alone.price)
    np.testing.assert_array_equal(together.greeks.delta[:, :1], alone.greeks.delta)


@given(scenes())
@settings(max_examples=100, deadline=None)
def test_the_terms_are_those_of_the_greeks(one: Scene) -> None:
    """B5; what values a contract anew, as a scenario does, starts from the same strike, splits included."""
    got = one.price()
    assert_same_bits(vars(value(got.terms)), vars(got.greeks))


@given(scenes())
@settings(max_examples=150, deadline=None)
def test_every_number_is_there_or_has_its_reason(one: Scene) -> None:
    got = one.price()
    np.testing.assert_array_equal(np.isnan(got.price), got.reason != NONE)
    np.testing.assert_array_equal(np.isnan(got.price), got.stale < 0)
    np.testing.assert_array_equal(np.isnan(got.exposure_price), got.exposure_reason != NONE)
    np.testing.assert_array_equal(np.isnan(got.greeks.delta), got.exposure_reason != NONE)
    np.testing.assert_array_equal(np.isnan(got.terms.volatility), got.exposure_reason != NONE)
    assert (got.warnings[np.isnan(got.price)] == 0).all()
    assert (got.price[np.isfinite(got.price)] >= 0).all()


def reference(one: Scene, of: int) -> list[float]:
    """The rules, one session and one contract after the other, on vollib."""
    option, prices = one.options[of], []
    spot = carry(one.close, one.split)
    sigma: float | None = None
    carried: float | None = None
    for t in range(-1, len(one.close)):
        j = option.column
        own = one.split[:, j] if j >= 0 else np.ones(len(one.close))
        basis = min(option.basis, len(own) - 1)
        between = own[min(t, basis) + 1 : max(t, basis) + 1]
        odd = any(s < 1 or s != round(s) for s in between)
        whole = [1.0 if option.adjusted or s < 1 or s != round(s) else s for s in between]
        scale = float(np.prod(whole)) if t < basis else 1 / float(np.prod(whole))
        here = [s for s in one.stated if s.of == of and max(s.row, -1) == t]
        marks, fills = [s for s in here if s.mark], [s for s in here if not s.mark]
        stated = None
        if marks:
            stated = max(s.price for s in marks) * scale
        elif fills:
            stated = sum(s.price * s.weight for s in fills) / sum(s.weight for s in fills) * scale
        if carried is not None and t >= 0 and j >= 0 and not option.adjusted:
            s = own[t]
            carried = carried / s if s >= 1 and s == round(s) else carried
        if stated is not None:
            carried = stated
        if t < 0:
            continue
        usable = j >= 0 and not odd and not option.adjusted and np.isfinite(spot.price[t, j])
        strike, flag = option.strike * scale, "c" if option.call else "p"
        years = (option.expiry - t) / 365
        if t < option.expiry and usable and stated is not None and spot.stale[t, j] == 0:
            inputs = (spot.price[t, j], strike, years, one.rate[t], one.dividend_yield[t, j])
            low = black_scholes_merton(flag, *inputs[:4], 1e-9, inputs[4])
            top = spot.price[t, j] * np.exp(-inputs[4] * years)
            high = top if option.call else strike * np.exp(-one.rate[t] * years)
            if low * (1 + 1e-9) + 1e-9 < stated < high:
                sigma = implied_volatility(stated, *inputs, flag)
        volatility = sigma if sigma is not None else (one.volatility[t, j] if j >= 0 else NAN)
        floor = max((1 if option.call else -1) * (spot.price[t, j] - strike), 0) if usable else NAN
        price = NAN
        if t < option.expiry:
            if stated is not None:
                price = stated
            elif usable and np.isfinite(volatility):
                model = black_scholes_merton(
                    flag, spot.price[t, j], strike, years, one.rate[t], volatility, one.dividend_yield[t, j]
                )
                price = max(model, floor)
            elif carried is not None:
                price = carried
        elif t == option.expiry:
            price = floor if usable else (carried if carried is not None else NAN)
        prices.append(price)
    return prices


@given(scenes())
@settings(max_examples=200, deadline=None)
def test_prices_follow_the_rules_one_by_one(one: Scene) -> None:
    got = one.price()
    for of in range(len(one.options)):
        np.testing.assert_allclose(got.price[:, of], reference(one, of), rtol=1e-9, atol=1e-9)
