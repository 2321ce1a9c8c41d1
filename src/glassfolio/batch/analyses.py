"""What is read whole of one session: positions, risk, correlations and stress, as records that are sent.

Every number that may be missing comes with its reason. Knows no formula: those are in analytics.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from glassfolio.analytics import correlation
from glassfolio.analytics.clusters import cluster
from glassfolio.analytics.factors import MODELS
from glassfolio.analytics.options import Terms
from glassfolio.analytics.scenarios import SCENARIOS
from glassfolio.analytics.shocks import factor_state, shocks_at
from glassfolio.analytics.statement import Statement
from glassfolio.analytics.stress import FactorBook, OptionBook, StressResult, results, stress
from glassfolio.batch.account import Account
from glassfolio.batch.numbers import PERFORMANCE
from glassfolio.batch.task import Setup, Task
from glassfolio.model.market import FloatArray, Panel
from glassfolio.model.results import NONE, Reason, Warning_, finite, reason_word, warning_words

# Of the bond behind the rate factor, where no yield is known.
RATE_YIELD = 0.04
RISK = MODELS["risk"]
KINDS = ("positions", "risk", "correlations", "stress")

Record = dict[str, Any]


def of_session(task: Task, whole: Account, at: int, kinds: Iterable[str] = KINDS) -> dict[str, Any]:
    """What is asked for of one session of the window, by kind; `at` numbers it from 0."""

    @cache
    def correlations() -> correlation.Correlations:
        held = np.flatnonzero(whole.holdings.exposure[at])
        return correlation.correlate(whole.holdings.returns[:, held], whole.first + at)

    makers: dict[str, Callable[[], Any]] = {
        "positions": lambda: positions(task, whole, at),
        "risk": lambda: risk(task, whole, at, correlations()),
        "correlations": lambda: correlation_records(task, whole, at, correlations()),
        "stress": lambda: stress_records(task, whole, at),
    }
    return {kind: makers[kind]() for kind in kinds}


def positions(task: Task, whole: Account, at: int) -> list[Record]:
    """What is held, lots of one symbol together."""
    lots, nav = whole.state_lots(at), float(whole.numbers["nav"][at])
    held: dict[str, list[int]] = {}
    for index in np.flatnonzero(lots.lots).tolist():
        held.setdefault(task.lots[index].symbol, []).append(index)
    return [_position(task, whole, at, name, own, lots, nav) for name, own in sorted(held.items())]


def _position(
    task: Task, whole: Account, at: int, symbol: str, own: Sequence[int], lots: Statement, nav: float
) -> Record:
    value, cost = finite(lots.value[own].sum()), finite(lots.cost[own].sum())
    exposure, reason = finite(lots.exposure[own].sum()), None
    if value is None:
        reason = whole.not_valued.get(symbol, (Reason.NO_PRICE.value, None))[0]
    return {
        "symbol": symbol,
        "as_of": _day(task, at),
        "investment_class": task.lots[own[0]].investment_class.value,
        "quantity": str(sum(task.lots[i].quantity for i in own)),
        "lots": len(own),
        "market_value": value,
        "exposure": exposure,
        "weight": finite(value / nav) if value is not None and nav > 0 else None,
        "cost": cost,
        "unrealised": finite(value - cost) if value is not None and cost is not None else None,
        "realised": finite(lots.realised[own].sum()),
        "income": finite(lots.income[own].sum()),
        "stale_sessions": int(lots.stale[own].max()) if value is not None else None,
        "reason": reason,
        "warnings": warning_words(np.bitwise_or.reduce(lots.warnings[own])),
    }


def risk(task: Task, whole: Account, at: int, correlations: correlation.Correlations) -> Record:
    """How volatile the holdings are, how much of it is systematic, and what diversification does."""
    spread = correlation.diversify(correlations, _held(whole, at))
    volatility = whole.holdings.volatility
    fit = whole.holdings.fits[RISK.key]
    figures = {
        name: _estimate(
            volatility.value[at, m],
            volatility.reason[at, m],
            n=int(volatility.n[at, m]),
            window=int(volatility.window[m]),
            coverage=finite(volatility.coverage[at]),
            warnings=warning_words(volatility.warnings[at, m]),
        )
        for m, name in enumerate(volatility.keys)
    }
    figures["systematic_share"] = _estimate(
        fit.r2[at],
        fit.r2_reason[at],
        n=int(fit.n[at]),
        window=RISK.window,
        coverage=finite(volatility.coverage[at]),
        warnings=warning_words(fit.warnings[at]),
    )
    for name, value, why in (
        ("average_correlation", spread.average_correlation, spread.average_reason),
        ("diversification_ratio", spread.diversification_ratio, spread.ratio_reason),
        ("effective_bets", spread.effective_bets, spread.ratio_reason),
    ):
        figures[name] = _estimate(
            value,
            why.code if why else NONE,
            window=correlation.WINDOW,
            coverage=finite(spread.coverage),
            warnings=[word.value for word in spread.warnings],
        )
    for name in PERFORMANCE:
        figures[name] = _estimate(whole.numbers[name][at], whole.reasons[name][at])
    return {
        "as_of": _day(task, at),
        "risk_free": risk_free(task.setup),
        "not_included": ["fees", "borrowing cost", "interest on cash"],
        "figures": figures,
        "sectors": _sectors(whole, at),
    }


def risk_free(setup: Setup) -> Record:
    """What ratios are measured against, and where it comes from."""
    return {"rate": setup.risk_free, "source": "RISK_FREE_RATE"}


def _sectors(whole: Account, at: int) -> list[Record]:
    """There is no source of sectors yet, so that everything is in one bucket, which says so."""
    return [
        {
            "sector": "unclassified",
            "net": finite(whole.numbers["net_leverage"][at]),
            "gross": finite(whole.numbers["leverage"][at]),
        }
    ]


def correlation_records(
    task: Task, whole: Account, at: int, correlations: correlation.Correlations
) -> Record:
    """The upper triangle, the clusters, and the names that are left out of the matrix.

    correlations: of the underlyings held.
    """
    held = np.flatnonzero(whole.holdings.exposure[at])
    names = [_name(task, whole, column) for column in whole.holdings.columns[held]]
    left, right = correlations.pairs
    found = cluster(correlations, _held(whole, at))
    return {
        "as_of": _day(task, at),
        "window": correlation.WINDOW,
        "minimum": correlation.LEAST_PAIRS,
        "psd_repaired": correlations.psd_repaired,
        "largest_change": correlations.largest_change,
        "warnings": [Warning_.PSD_REPAIRED.value] if correlations.psd_repaired else [],
        "pairs": [
            {
                "symbol": names[i],
                "other": names[j],
                "value": finite(correlations.value[i, j]),
                "n": int(correlations.n[i, j]),
                "stderr": finite(correlations.stderr[i, j]),
                "reason": reason_word(correlations.reason[i, j]),
            }
            for i, j in zip(left.tolist(), right.tolist(), strict=True)
        ],
        "left_out": [name for name, kept in zip(names, correlations.complete, strict=True) if not kept],
        "clusters": [
            {
                "name": names[leader],
                "symbols": [names[u] for u in np.flatnonzero(found.label == c)],
                "gross": finite(found.gross[c]),
                "net": finite(found.net[c]),
                "average_correlation": finite(found.average_correlation[c]),
            }
            for c, leader in enumerate(found.leader.tolist())
        ],
    }


def _held(whole: Account, at: int) -> FloatArray:
    """Exposures to the underlyings held at a session, in the order of the correlations."""
    exposure: FloatArray = whole.holdings.exposure[at]
    held: FloatArray = exposure[exposure != 0]
    return held


def stress_records(task: Task, whole: Account, at: int) -> Record:
    """Every scenario, direct and correlated, with what moved and what could not."""
    members = RISK.members(task.setup.factor_set)
    keys = list(whole.factors.keys)
    places = [keys.index(key) for key in RISK.published(task.setup.factor_set)]
    book = FactorBook(
        members,
        whole.factors.dollars[at, :, places].T,
        whole.factors.dollar_reason[at, :, places].T,
        whole.factors.coverage[at, :, places].T,
        np.array([whole.numbers["nav"][at]]),
    )
    panel = _until(task.panel, whole.first + at)
    state = factor_state(members, panel, whole.in_model[RISK.key][at])
    shocks = shocks_at(task.setup.factor_set, state, panel, RATE_YIELD, SCENARIOS)
    outcome = results(stress(book, shocks, _options(whole, at, places)))
    return {
        "as_of": _day(task, at),
        "factor_set": task.setup.factor_set.name,
        "rate_yield": RATE_YIELD,
        "nav": finite(whole.numbers["nav"][at]),
        "scenarios": [_scenario(item) for item in outcome],
    }


def _options(whole: Account, at: int, places: Sequence[int]) -> OptionBook | None:
    options = whole.on_grid.options
    if options is None:
        return None
    row, paths = whole.first + at, options.paths
    size = whole.on_grid.contracts_held(options)[row]
    taken = np.flatnonzero((size != 0) & np.isfinite(paths.greeks.delta[row]))
    followed = options.contracts.underlying[taken]
    sessions = whole.betas.sessions
    beta = whole.betas.value[followed * sessions + at][:, places]
    beta = np.where(whole.betas.without(followed, at)[:, places], np.nan, beta)
    return OptionBook(
        portfolio=np.zeros(len(taken), dtype=np.int64),
        size=size[taken],
        terms=Terms(**{name: term[row, taken] for name, term in vars(paths.terms).items()}),
        price=paths.price[row, taken],
        delta=paths.greeks.delta[row, taken],
        beta=beta,
    )


def _scenario(item: StressResult) -> Record:
    return {
        "scenario": item.key,
        "group": item.group.value,
        "title": item.title,
        "kind": item.kind.value,
        "pnl": item.pnl,
        "loss": item.loss,
        "band": item.band.value if item.band else None,
        "wipe_out": item.wipe_out,
        "coverage": item.coverage,
        "factors_used": list(item.factors_used),
        "factors_missing": {name: reason.value for name, reason in item.factors_missing.items()},
        "shocks": dict(item.shocks),
        "rate_shift": item.rate_shift,
        "volatility_shift": item.volatility_shift,
        "reason": item.reason.value if item.reason else None,
        "loss_reason": item.loss_reason.value if item.loss_reason else None,
        "warnings": [word.value for word in item.warnings],
    }


def _until(panel: Panel, row: int) -> Panel:
    """The panel as it was at a session."""
    end = row + 1
    return Panel(
        panel.sessions[:end],
        panel.ordinals[:end],
        panel.symbols,
        panel.close[:end],
        panel.split[:end],
        panel.dividend[:end],
        panel.revisions,
    )


def _name(task: Task, whole: Account, column: int) -> str:
    """What a column is called: the symbol, or that of the lot it was made for."""
    if column < len(task.panel.symbols):
        return task.panel.symbols[column]
    place = int(np.flatnonzero(whole.on_grid.lots.column == column)[0])
    return task.lots[place].symbol


def _estimate(value: float, code: int, **more: object) -> Record:
    return {"value": finite(value), "reason": reason_word(code), **more}


def _day(task: Task, at: int) -> str:
    return str(task.window[at])
