"""Numbers and words of results as pages show them; what is missing shows as a dash, with its reason.

Filters of the templates. Knows nothing of where the numbers come from.
"""

from collections.abc import Callable, Mapping

DASH = "–"
MINUS = "−"

# What stands for a key of the results; other keys are shown with their underscores as spaces.
TITLES: Mapping[str, str] = {
    "holdings_vol_21": "Volatility of today's holdings, 21 days",
    "holdings_vol_63": "Volatility of today's holdings, 63 days",
    "holdings_vol_252": "Volatility of today's holdings, 252 days",
    "holdings_vol_forecast": "Forecast volatility of today's holdings",
    "realised_vol_21": "Realised volatility, 21 days",
    "realised_vol_63": "Realised volatility, 63 days",
    "realised_vol_252": "Realised volatility, 252 days",
    "systematic_share": "Share of variance from factors",
    "average_correlation": "Average correlation of the holdings",
    "diversification_ratio": "Diversification ratio",
    "effective_bets": "Effective number of bets",
    "max_drawdown": "Largest drawdown",
    "xirr": "Money-weighted return",
    "twr_cum": "Time-weighted return",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "market_beta": "Market",
    "market_beta_joint": "Market, beside rates",
    "rate_beta": "Interest rates",
}
AS_PERCENT = ("vol", "share", "drawdown")


def money(value: float | None, places: int = 2) -> str:
    """US dollars with thousands marked, such as 1,234.50."""
    return DASH if value is None else _signed(f"{value:,.{places}f}")


def percent(fraction: float | None, places: int = 2) -> str:
    """A fraction as a percentage, such as 4.25 %."""
    return DASH if fraction is None else f"{_signed(f'{100 * fraction:,.{places}f}')} %"


def number(value: float | None, places: int = 2) -> str:
    """A pure number."""
    return DASH if value is None else _signed(f"{value:,.{places}f}")


def words(code: str | None) -> str:
    """A code of a closed list as words, such as no factor data."""
    return (code or "").replace("_", " ")


def title(key: str) -> str:
    """A key of the results as a heading of a row."""
    known = TITLES.get(key)
    if known is not None:
        return known
    model, _, factor = key.rpartition(".")
    name = words(factor).capitalize()
    return f"{name}, {model} model" if model else name


def figure(value: float | None, key: str) -> str:
    """A figure of the risk table, in the unit of its key."""
    return percent(value) if any(part in key for part in AS_PERCENT) else number(value)


def _signed(text: str) -> str:
    """A number with a proper minus sign; nothing is less than nothing."""
    return text.replace("-", MINUS if any(digit in text for digit in "123456789") else "", 1)


FILTERS: Mapping[str, Callable[..., str]] = {
    "money": money,
    "percent": percent,
    "number": number,
    "words": words,
    "title_of": title,
    "figure": figure,
}
