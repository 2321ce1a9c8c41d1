"""The pages of portfolios: adding one, watching its onboarding, looking at what was computed.

Knows nothing of tokens, or of how a run is shown while it happens; its script does.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from glassfolio.imports.form import MAX_ACCOUNT_NAME, MAX_DESCRIPTION, MAX_NAME
from glassfolio.imports.text import MAX_BYTES
from glassfolio.model.holdings import ACCOUNT_TYPES, Portfolio
from glassfolio.reading import Record
from glassfolio.web.access import PartsOf, Visiting
from glassfolio.web.chart import Chart, line_chart
from glassfolio.web.limited import limited_page
from glassfolio.web.pages import page
from glassfolio.wiring import Parts

router = APIRouter(
    prefix="/portfolios",
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(limited_page)],
)


@router.get("/new")
async def add(request: Request, visitor: Visiting) -> Response:
    """The form that a holdings file is handed in with."""
    return page(
        request,
        "new.html",
        visitor=visitor,
        account_types=ACCOUNT_TYPES,
        most_bytes=MAX_BYTES,
        longest={"name": MAX_NAME, "account_name": MAX_ACCOUNT_NAME, "description": MAX_DESCRIPTION},
    )


@router.get("/{portfolio_id}/onboarding")
async def onboarding(portfolio_id: str, request: Request, parts: PartsOf, visitor: Visiting) -> Response:
    """The onboarding as it happens."""
    portfolio = await run_in_threadpool(parts.reading.portfolio, visitor.user_id, portfolio_id)
    return page(request, "onboarding.html", visitor=visitor, portfolio=portfolio)


@router.get("/{portfolio_id}")
async def show(portfolio_id: str, request: Request, parts: PartsOf, visitor: Visiting) -> Response:
    """What was computed of a portfolio, and what is missing."""
    seen = await run_in_threadpool(look, parts, visitor.user_id, portfolio_id)
    return page(request, "portfolio.html", visitor=visitor, seen=seen)


@dataclass(frozen=True)
class Seen:
    """What the page of a portfolio shows. newest: its newest snapshot; None before there is one."""

    portfolio: Portfolio
    status: Record
    newest: Record | None
    chart: Chart | None
    positions: list[Record]
    factors: list[Record]
    risk: Record
    scenarios: list[Record]
    first: Record | None


def look(parts: Parts, user_id: str, portfolio_id: str) -> Seen:
    """Gather what the page of a portfolio shows. Raises NotFound."""
    portfolio = parts.reading.portfolio(user_id, portfolio_id)
    status: Record = json.loads(parts.reading.status(user_id, portfolio_id).body)
    history = parts.results.snapshots(user_id, portfolio_id, None, None)
    days = [date.fromisoformat(row["session"]) for row in history]

    def analysis(kind: str) -> Any:
        return parts.results.analysis(user_id, portfolio_id, kind)

    return Seen(
        portfolio=portfolio,
        status=status,
        newest=history[-1] if history else None,
        chart=line_chart(days, [row["nav"] for row in history]),
        positions=analysis("positions"),
        factors=parts.results.factors(user_id, portfolio_id)["portfolio"],
        risk=analysis("risk")["figures"],
        scenarios=analysis("stress")["scenarios"],
        first=history[0] if history else None,
    )
