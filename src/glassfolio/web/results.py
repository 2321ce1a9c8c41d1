"""What was computed: snapshots, positions, factor exposures and metrics, as JSON or as a table."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from glassfolio.imports.text import readable
from glassfolio.web.access import PartsOf, SignedIn
from glassfolio.web.limited import limited
from glassfolio.web.limits import RouteClass
from glassfolio.web.schemas import TABLES

router = APIRouter(
    prefix="/api/v1/portfolios/{portfolio_id}", tags=["results"], dependencies=[limited(RouteClass.OTHER)]
)

HEADERS = {"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie, Accept"}
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.ASCII)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠")


@router.get("/snapshots", responses=TABLES)
def snapshots(
    portfolio_id: str,
    request: Request,
    caller: SignedIn,
    parts: PartsOf,
    start: Annotated[date | None, Query(alias="from")] = None,
    end: Annotated[date | None, Query(alias="to")] = None,
) -> Response:
    """Daily snapshots, oldest first; a missing number is null and its reason stands in `reasons`."""
    rows = parts.results.snapshots(caller.user_id, portfolio_id, start, end)
    return answer(request, rows, {"snapshots": rows})


Session = Annotated[date | None, Query()]


@router.get("/positions", responses=TABLES)
def positions(
    portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf, session: Session = None
) -> Response:
    """What is held at the newest snapshot, or at that of `session`."""
    rows = parts.results.analysis(caller.user_id, portfolio_id, "positions", session)
    return answer(request, rows, {"positions": rows})


@router.get("/risk", responses=TABLES)
def risk(
    portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf, session: Session = None
) -> Response:
    """Volatility of the holdings and of the account, systematic share, diversification, sectors."""
    whole = parts.results.analysis(caller.user_id, portfolio_id, "risk", session)
    rows = [{"figure": name, **figure} for name, figure in whole["figures"].items()]
    return answer(request, rows, whole)


@router.get("/correlations", responses=TABLES)
def correlations(
    portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf, session: Session = None
) -> Response:
    """Correlations of what is held, pair by pair, and the clusters they make."""
    whole = parts.results.analysis(caller.user_id, portfolio_id, "correlations", session)
    return answer(request, whole["pairs"], whole)


@router.get("/stress", responses=TABLES)
def stress(
    portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf, session: Session = None
) -> Response:
    """What every scenario would do to the portfolio."""
    whole = parts.results.analysis(caller.user_id, portfolio_id, "stress", session)
    return answer(request, whole["scenarios"], whole)


@router.get("/factors", responses=TABLES)
def factors(portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf) -> Response:
    """The portfolio's and its symbols' factor exposures at the newest snapshot."""
    whole = parts.results.factors(caller.user_id, portfolio_id)
    return answer(request, whole["symbols"], whole)


@router.get("/metrics", responses=TABLES)
def metrics(portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf) -> Response:
    """The symbols' metrics at the newest snapshot."""
    rows = parts.results.metrics(caller.user_id, portfolio_id)
    return answer(request, rows, {"metrics": rows, "risk_free": parts.results.risk_free})


def answer(request: Request, rows: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> Response:
    """JSON, or a table of `rows` when the caller prefers text/csv."""
    if "text/csv" in request.headers.get("accept", ""):
        return Response(as_table(rows), media_type="text/csv; charset=utf-8", headers=HEADERS)
    return JSONResponse(dict(whole), headers=HEADERS)


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV, every cell quoted; text that a spreadsheet would take for a formula is disarmed."""
    out = io.StringIO()
    if rows:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(rows[0].keys())
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, dict | list):
        value = (
            "; ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "; ".join(value)
        )
    if isinstance(value, str) and _is_formula(value):
        return "'" + value
    return "" if value is None else value


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet might take the text for more than text; a plain number is none."""
    seen = (c for c in text if c in FORMULA_STARTS or not (c.isspace() or not readable(c)))
    return next(seen, "") in FORMULA_STARTS and not NUMBER.fullmatch(text)
