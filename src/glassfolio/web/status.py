"""The status of an onboarding, its log and its downloads.

Copies encoded documents; their shape is decided where they are folded.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from glassfolio.clock import iso
from glassfolio.reading import StatusAnswer
from glassfolio.web.access import PartsOf, SignedIn
from glassfolio.web.download import attachment
from glassfolio.web.errors import problem_response
from glassfolio.web.limited import limited
from glassfolio.web.limits import RouteClass
from glassfolio.web.schemas import STATUS_ANSWERS, answers
from glassfolio.wiring import Parts

router = APIRouter(prefix="/api/v1", tags=["status"])

HEADERS = {"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie"}
RETRY_AFTER = "2"
LOG_PAGE = 500
LARGEST = 2**31 - 1  # what the databases' integers hold
NO_LOG = "This portfolio was never onboarded, so there is no log."


async def look_up(parts: Parts, read: Callable[[], StatusAnswer]) -> StatusAnswer:
    """A read by key, on the spot where it waits for nobody.

    A hand-over to a thread and back waits twice for whatever computes in this process, longer than the read.
    """
    return await run_in_threadpool(read) if parts.database.dialect.reads_wait else read()


@router.get(
    "/onboarding/status/{portfolio_id}",
    responses=STATUS_ANSWERS,
    dependencies=[limited(RouteClass.STATUS)],
)
async def onboarding_status(
    portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf
) -> Response:
    """The status of the portfolio's newest onboarding or repair."""
    read = partial(parts.reading.status, caller.user_id, portfolio_id)
    return send(request, await look_up(parts, read))


@router.get(
    "/runs/{run_id}",
    tags=["runs"],
    responses=STATUS_ANSWERS,
    dependencies=[limited(RouteClass.STATUS)],
)
async def run_status(
    run_id: str,
    request: Request,
    caller: SignedIn,
    parts: PartsOf,
    attempt: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Response:
    """The same document for one run, in its present attempt or an earlier one."""
    return send(request, await look_up(parts, partial(parts.reading.run, caller.user_id, run_id, attempt)))


def send(request: Request, answer: StatusAnswer, status: int = 200, **more: str) -> Response:
    """A status document as a response; 304 when the caller has this version."""
    headers = {**HEADERS, **more}
    if answer.tag is not None:
        headers["ETag"] = f'W/"{answer.tag}"'
    if answer.poll_after is not None:
        headers["Retry-After"] = str(answer.poll_after)
    if status == 200 and answer.tag is not None and _has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(answer.body, status, headers, media_type="application/json")


def _has(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return any(part.strip().removeprefix("W/") == tag.removeprefix("W/") for part in known.split(","))


@router.get("/runs/{run_id}/log", tags=["runs"], dependencies=[limited(RouteClass.OTHER)])
def run_log(
    run_id: str,
    caller: SignedIn,
    parts: PartsOf,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=LOG_PAGE)] = LOG_PAGE,
) -> Response:
    """Entries of the run's whole log with a number above `after`, in order."""
    entries = parts.reading.log(caller.user_id, run_id, after, limit)
    following = entries[-1]["seq"] if entries else after
    return JSONResponse({"entries": entries, "next_after": following}, headers=HEADERS)


@router.get(
    "/onboarding/status/{portfolio_id}/logs",
    responses=answers(200, "application/json", "text/plain"),
    dependencies=[limited(RouteClass.OTHER)],
)
def download_log(
    portfolio_id: str,
    request: Request,
    caller: SignedIn,
    parts: PartsOf,
    form: Annotated[Literal["txt", "json"], Query(alias="format")] = "txt",
) -> Response:
    """The whole log of the shown run as a file."""
    run_id = parts.reading.shown_run(caller.user_id, portfolio_id)
    if run_id is None:
        return problem_response(request, 404, "NO_LOG", NO_LOG)
    status = json.loads(parts.reading.status(caller.user_id, portfolio_id).body)
    entries = parts.reading.log(caller.user_id, run_id, limit=1_000_000)
    stamp = iso(parts.clock.now()).replace("-", "").replace(":", "")[:15] + "Z"
    name = f"glassfolio-setup-log-{portfolio_id[:8]}-{stamp}.{form}"
    headers = {**HEADERS, **attachment(name)}
    if form == "json":
        return JSONResponse({**status, "log_entries": entries}, headers=headers)
    return PlainTextResponse(_as_text(status, entries), headers=headers)


def _as_text(status: dict[str, object], entries: list[dict[str, object]]) -> str:
    lines = [
        "glassfolio setup log (all times UTC)",
        f"status: {status['status']}  attempt: {status['attempt']}  started: {status['started_at']}"
        f"  finished: {status['finished_at'] or '-'}",
        "",
    ]
    phases = status["phases"]
    assert isinstance(phases, list)
    for phase in phases:
        took = phase["duration_seconds"]
        count = f"{phase['current']} of {phase['total']} {phase['unit']}"
        ended = f", {took} s" if took is not None else ""
        lines.append(f"{phase['phase_name']}: {phase['status']}, {count}{ended}")
    lines.append("")
    lines += [f"{e['timestamp']}  {str(e['level']).upper():7}  {e['message']}" for e in entries]
    return "\n".join(lines) + "\n"
