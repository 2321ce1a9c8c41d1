"""The phase of symbol metrics: what it stores, for which sessions, and when it computes again."""

from dataclasses import replace
from datetime import date

import numpy as np

from glassfolio.analytics.metrics import METRICS
from glassfolio.analytics.symbols import SESSIONS_BACK, symbol_metrics
from glassfolio.batch.phases import symbol_metrics as phase
from glassfolio.batch.task import Workplace
from glassfolio.model.results import Warning_
from glassfolio.providers.bundled import BundledProvider
from glassfolio.store import market, results
from tests.batch.workshop import FACTORS, Workshop, lot

LAST = date(2022, 12, 28)


def stored(workshop: Workshop, symbol: str, first: int, last: int) -> dict[str, results.MetricSeries]:
    with workshop.database.reading() as connection:
        found = results.metrics(connection, [symbol], first, last)
    return {key: series for (_symbol, key), series in found.items()}


def test_every_metric_of_every_session_is_stored_and_the_percentile_has_a_value(workshop: Workshop) -> None:
    """Pitfall: a percentile that can never be computed; and metrics of two dates coexist."""
    workshop.carry(workshop.open(lot("AAPL"))[1])
    last = workshop.calendar.ordinal(LAST)
    first = (last - workshop.history + 1) // 64 * 64
    found = stored(workshop, "AAPL", first, last)
    assert found.keys() == METRICS.keys()
    for key in ("vol_percentile", "vol_forecast", "max_drawdown", "sharpe", "return_1y"):
        assert np.isfinite(found[key].value).all(), key
        assert (found[key].reason == -1).all(), key
    assert (found["vol_percentile"].n == 252).all()
    assert found["max_drawdown"].details.shape == (last - first + 1, 2)
    assert (found["max_drawdown"].details[:, 0] < found["max_drawdown"].details[:, 1]).all()
    assert (found["high_52w"].warnings == Warning_.ADJUSTED_CLOSE_AS_PRICE.bit).all()
    assert found["vol_21"].details.shape == (last - first + 1, 0)


def test_one_range_is_asked_for_each_symbol_and_it_reaches_back_thirteen_months(workshop: Workshop) -> None:
    workshop.carry(workshop.open(lot("AAPL"))[1])
    last = workshop.calendar.ordinal(LAST)
    first = (last - workshop.history + 1) // 64 * 64 - SESSIONS_BACK
    assert sorted(workshop.provider.asked) == sorted(
        (name, workshop.calendar.day(first), LAST) for name in ("AAPL", *FACTORS)
    )


def test_what_is_stored_is_what_the_kernel_gives(workshop: Workshop) -> None:
    run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
    workshop.carry(run_id)
    task = Workplace(workshop.setup).task(run_id)
    with workshop.database.reading() as connection:
        panel = phase.history(connection, task, ["AAPL", "KO"])
    table = symbol_metrics(panel, task.block_first - task.grid_first)
    found = stored(workshop, "KO", task.block_first, task.last)
    for m, key in enumerate(table.keys):
        np.testing.assert_array_equal(found[key].value, table.value[m, :, 1])
        np.testing.assert_array_equal(found[key].n, table.n[m, :, 1])
        np.testing.assert_array_equal(found[key].reason, table.reason[m, :, 1])
        for k, name in enumerate(METRICS[key].details):
            np.testing.assert_array_equal(found[key].details[:, k], table.details[key, name][:, 1])


def test_another_risk_free_rate_makes_the_metrics_be_computed_again(workshop: Workshop) -> None:
    item, run_id = workshop.open(lot("AAPL"))
    workshop.carry(run_id)
    last = workshop.calendar.ordinal(LAST)
    before = stored(workshop, "AAPL", last // 64 * 64, last)
    again = workshop.document(run_id)
    assert again["status"] == "completed"
    setup = replace(workshop.setup, risk_free=0.05)
    task = Workplace(setup).task(run_id)
    with workshop.database.reading() as connection:
        assert phase.make_plan(connection, Workplace(workshop.setup).task(run_id)).chunks == ()
        (chunk,) = phase.make_plan(connection, task).chunks
    result = phase.work(task, chunk.payload)
    with workshop.database.transaction() as connection:
        result.write(connection)
    after = stored(workshop, "AAPL", last // 64 * 64, last)
    assert (after["sharpe"].value != before["sharpe"].value).all()
    assert (after["downside_vol"].value > before["downside_vol"].value).all()
    np.testing.assert_array_equal(after["vol_252"].value, before["vol_252"].value)
    assert item.id


def test_the_har_forecast_uses_older_prices_where_they_are_stored_and_asks_for_none(
    workshop: Workshop,
) -> None:
    run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
    workshop.carry(run_id)
    last = workshop.calendar.ordinal(LAST)
    first = last // 64 * 64
    assert np.isnan(stored(workshop, "AAPL", first, last)["vol_forecast_har"].value).all()
    asked = len(workshop.provider.asked)
    older = BundledProvider.fetch(workshop.provider, ["AAPL"], date(2015, 1, 2), date(2022, 1, 3))
    with workshop.database.transaction() as connection:
        market.write_bars(connection, "bundled", older.bars)
    task = Workplace(workshop.setup).task(run_id)
    with workshop.database.reading() as connection:
        (chunk,) = phase.make_plan(connection, task).chunks
    assert chunk.payload == {"symbols": ["AAPL"]}
    with workshop.database.transaction() as connection:
        phase.work(task, chunk.payload).write(connection)
    found = stored(workshop, "AAPL", first, last)["vol_forecast_har"]
    assert np.isfinite(found.value).all()
    assert (found.n == 1000).all()
    assert len(workshop.provider.asked) == asked
