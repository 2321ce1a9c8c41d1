"""The status of an onboarding, its log and its downloads.

Copies encoded documents; their shape is decided where they are folded.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from glassfolio.clock import iso
from glassfolio.reading import Record, StatusAnswer
from glassfolio.web.access import PartsOf, SignedIn, parts_of
from glassfolio.web.download import attachment
from glassfolio.web.errors import problem_response
from glassfolio.web.limited import charged, limited
from glassfolio.web.limits import RouteClass
from glassfolio.web.schemas import PORTFOLIO_ID, STATUS_ANSWERS, answers
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
    openapi_extra={"parameters": [PORTFOLIO_ID]},
)
async def onboarding_status(request: Request) -> Response:
    """The status of the portfolio's newest onboarding or repair."""
    # Polled most. What other routes declare is called here: declared, it takes longer than the read.
    caller = await charged(request, RouteClass.STATUS)
    parts = await parts_of(request)
    read = partial(parts.reading.status, caller.user_id, request.path_params["portfolio_id"])
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
    responses=answers(200, "application/json", "text/plain", "application/x-ndjson"),
    dependencies=[limited(RouteClass.OTHER)],
)
def download_log(
    portfolio_id: str,
    request: Request,
    caller: SignedIn,
    parts: PartsOf,
    form: Annotated[Literal["txt", "json", "ndjson"], Query(alias="format")] = "txt",
    attempt: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> Response:
    """The log of the shown run as a file: of all attempts or of one, after an entry or from its beginning."""
    reading, user_id = parts.reading, caller.user_id
    run_id = reading.shown_run(user_id, portfolio_id)
    if run_id is None:
        return problem_response(request, 404, "NO_LOG", NO_LOG)
    status = json.loads(reading.run(user_id, run_id, attempt).body)
    entries = _whole_log(partial(reading.log, user_id, run_id, limit=LOG_PAGE, attempt=attempt), after)
    stamp = iso(parts.clock.now()).replace("-", "").replace(":", "")[:15] + "Z"
    name = f"glassfolio-setup-log-{portfolio_id[:8]}-{stamp}.{form}"
    headers = {**HEADERS, **attachment(name)}
    return StreamingResponse(WRITERS[form](status, entries), headers=headers, media_type=MEDIA[form])


def _whole_log(read: Callable[..., list[Record]], after: int) -> Iterator[Record]:
    """Every entry numbered above `after`, read page by page as it is asked for."""
    page = read(after=after)
    while page:
        yield from page
        page = read(after=page[-1]["seq"])


def _as_json(status: Record, entries: Iterable[Record]) -> Iterator[str]:
    yield _dumps(status)[:-1] + ',"log_entries":['
    for place, entry in enumerate(entries):
        yield ("," if place else "") + _dumps(entry)
    yield "]}"


def _as_lines(_status: Record, entries: Iterable[Record]) -> Iterator[str]:
    return (_dumps(entry) + "\n" for entry in entries)


def _dumps(value: Record) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _as_text(status: Record, entries: Iterable[Record]) -> Iterator[str]:
    yield "glassfolio setup log (all times UTC)\n"
    yield f"status: {status['status']}  attempt: {status['attempt']}  started: {status['started_at']}"
    yield f"  finished: {status['finished_at'] or '-'}\n\n"
    for phase in status["phases"]:
        took = phase["duration_seconds"]
        count = f"{phase['current']} of {phase['total']} {phase['unit']}"
        ended = f", {took} s" if took is not None else ""
        yield f"{phase['phase_name']}: {phase['status']}, {count}{ended}\n"
    yield "\n"
    for entry in entries:
        yield f"{entry['timestamp']}  {entry['level'].upper():7}  {entry['message']}\n"


WRITERS: Mapping[str, Callable[[Record, Iterable[Record]], Iterator[str]]] = {
    "txt": _as_text,
    "json": _as_json,
    "ndjson": _as_lines,
}
MEDIA = {
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson; charset=utf-8",
}
