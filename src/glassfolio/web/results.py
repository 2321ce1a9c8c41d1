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
    rows = parts.reading.snapshots(caller.user_id, portfolio_id, start, end)
    return answer(request, rows, {"snapshots": rows})


@router.get("/positions", responses=TABLES)
def positions(portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf) -> Response:
    """What is held at the newest snapshot."""
    rows = parts.reading.positions(caller.user_id, portfolio_id)
    return answer(request, rows, {"positions": rows})


@router.get("/factors", responses=TABLES)
def factors(portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf) -> Response:
    """The portfolio's and its symbols' factor exposures at the newest snapshot."""
    whole = parts.reading.factors(caller.user_id, portfolio_id)
    return answer(request, whole["symbols"], whole)


@router.get("/metrics", responses=TABLES)
def metrics(portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf) -> Response:
    """The symbols' metrics at the newest snapshot."""
    rows = parts.reading.metrics(caller.user_id, portfolio_id)
    return answer(request, rows, {"metrics": rows, "risk_free": parts.reading.risk_free})


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
