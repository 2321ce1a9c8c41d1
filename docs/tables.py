"""Tables of the pages that repeat what the code says: codes, messages, metrics, factors.

Knows nothing of files: each function returns Markdown.
"""

from collections.abc import Iterable

from glassfolio.analytics.factors import FACTOR_SETS, MODELS, FactorSet, Member
from glassfolio.analytics.metrics import METRICS
from glassfolio.analytics.scenarios import SCENARIOS, Scenario
from glassfolio.imports.codes import FILE, FORM, POSITIONS, Entry
from glassfolio.model.messages import FAILURES, MESSAGES, SYMBOL_REASONS
from glassfolio.web.errors import CODES, STATUS


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def import_codes() -> str:
    """Every code of a file or form, in three tables."""
    parts = (("About the file", FILE), ("About a row", POSITIONS), ("About the form", FORM))
    head = ("code", "level", "what is wrong", "what to do")
    return "\n\n".join(
        f"#### {title}\n\n{table(head, map(_import_row, codes.items()))}" for title, codes in parts
    )


def _import_row(item: tuple[str, Entry]) -> tuple[str, ...]:
    code, entry = item
    return f"`{code}`", entry.severity.value, f"{entry.title}. {entry.text}", entry.hint


def problem_codes() -> str:
    """Codes of problems that stand for an exception, with their HTTP status."""
    # Where two exceptions share a code, the more exact one stands later and speaks for both.
    said = {code: error for error, code in CODES.items()}
    rows = (
        (f"`{code}`", str(STATUS[error]), (error.__doc__ or "").splitlines()[0])
        for code, error in said.items()
    )
    return table(("code", "HTTP", "what it says"), rows)


def failure_codes() -> str:
    """Why an attempt failed."""
    rows = (
        (f"`{code.value}`", text.reason, text.action, "yes" if text.retryable else "no")
        for code, text in FAILURES.items()
    )
    return table(("code", "detail", "action", "retry offered"), rows)


def messages() -> str:
    """Every kind of entry of the activity log."""
    rows = ((f"`{code}`", message.level.value, message.sentence) for code, message in MESSAGES.items())
    return table(("code", "level", "sentence"), rows)


def symbol_reasons() -> str:
    """Why a symbol or lot is named in `symbols[]` and in the log."""
    return table(("reason", "sentence"), ((f"`{word}`", text) for word, text in SYMBOL_REASONS.items()))


def metrics() -> str:
    """The metrics of a symbol."""
    rows = (
        (
            f"`{metric.key}`",
            metric.title,
            metric.unit,
            str(metric.window or "calendar"),
            str(metric.minimum or ""),
            f"`{metric.formula}`",
            metric.source,
            metric.checked,
            ", ".join(f"`{name}`" for name in metric.details),
        )
        for metric in METRICS.values()
    )
    head = ("key", "title", "unit", "window", "least n", "formula", "source", "how it is checked", "details")
    return table(head, rows)


def models() -> str:
    """The regressions whose slopes are the betas."""
    rows = (
        (
            f"`{model.key}`",
            model.title,
            model.estimator,
            str(model.window),
            str(model.minimum),
            ", ".join(f"`{name}`" for name in model.names.values()),
        )
        for model in MODELS.values()
    )
    return table(("model", "title", "estimator", "window", "least n", "names of the betas"), rows)


def factor_sets() -> str:
    """The factor sets and their members."""
    return "\n\n".join(f"### {factors.name}\n\n{_members(factors)}" for factors in FACTOR_SETS.values())


def _members(factors: FactorSet) -> str:
    return table(
        ("factor", "role", "daily return of", "valid", "carries", "note"), map(_member_row, factors.members)
    )


def _member_row(member: Member) -> tuple[str, ...]:
    series = f"{member.series} − {member.minus}" if member.minus else member.series
    valid = f"{member.valid_from or ''} to {member.valid_to or ''}"
    return (
        f"`{member.key}`",
        member.role.value,
        series,
        valid if member.valid_from or member.valid_to else "always",
        ", ".join(f"`{warning.value}`" for warning in member.warnings),
        member.note,
    )


def scenarios() -> str:
    """The scenarios of the stress test, by group."""
    return table(("scenario", "group", "title", "what moves"), map(_scenario_row, SCENARIOS))


def _scenario_row(scenario: Scenario) -> tuple[str, ...]:
    said = [f"{name} {move:+.0%}" for name, move in scenario.shocks.items()]
    if scenario.rate_shift:
        said.append(f"yields {scenario.rate_shift * 10_000:+.0f} basis points")
    if scenario.volatility_shift:
        said.append(f"implied volatilities {scenario.volatility_shift * 100:+.0f} points")
    if scenario.replay:
        said.append(f"everything as from {scenario.replay.start} to {scenario.replay.end}")
    return f"`{scenario.key}`", scenario.group.value, scenario.title, ", ".join(said)
