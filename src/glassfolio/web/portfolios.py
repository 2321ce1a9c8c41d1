"""Opening, listing and deleting portfolios, and starting work on them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from glassfolio.clock import iso
from glassfolio.imports.template_columns import template_csv
from glassfolio.imports.text import shown_name
from glassfolio.model.holdings import Portfolio
from glassfolio.onboarding import Once, Opened, Started, Upload
from glassfolio.reading import run_record
from glassfolio.store.idempotency import Answer
from glassfolio.web import idempotency
from glassfolio.web.access import PartsOf, SignedIn
from glassfolio.web.bounds import FORM_BYTES
from glassfolio.web.download import attachment
from glassfolio.web.errors import problem_record
from glassfolio.web.idempotency import Key, KeyOf
from glassfolio.web.limited import LimitedUpload, limited, limits_of
from glassfolio.web.limits import RouteClass
from glassfolio.web.schemas import CANCELLED, STARTED, UPLOAD_FORM, UPLOADED, answers
from glassfolio.web.status import RETRY_AFTER, send
from glassfolio.wiring import Parts

router = APIRouter(prefix="/api/v1", tags=["portfolios"])


class RetryAsked(BaseModel):
    """What a retry is to do: all that is missing, or only what has failed."""

    model_config = ConfigDict(extra="forbid")

    only: Literal["failed_symbols"] | None = None


FIELDS = ("name", "account_name", "account_type", "equity", "equity_as_of", "description")


@router.post(
    "/portfolios",
    status_code=202,
    openapi_extra={"requestBody": UPLOAD_FORM},
    responses=UPLOADED,
    dependencies=[Depends(LimitedUpload())],
)
async def create(
    request: Request,
    caller: SignedIn,
    parts: PartsOf,
    key: KeyOf,
    dry_run: Annotated[bool, Query()] = False,
    start: Annotated[bool, Query()] = True,
) -> Response:
    """Store a holdings file as a portfolio and start its onboarding, together or not at all."""
    limits, key = limits_of(request), None if dry_run else key
    with idempotency.handling(request, key), limits.uploading(caller.user_id):
        async with read_form(request) as (file, fields):

            def act() -> Response:
                upload = _upload(file)
                if dry_run:
                    return _opened(parts, parts.onboarding.open(caller, upload, fields, dry_run=True))
                once = idempotency.once(request, partial(_opened, parts), key, _sent(upload, fields))
                return idempotency.send(parts.onboarding.open_once(caller, upload, fields, once, start=start))

            return await to_thread.run_sync(act, limiter=limits.reading_files)


def _sent(upload: Upload, fields: Mapping[str, str]) -> object:
    """What makes an upload the same as another; not how its parts were put together."""
    content = None if upload.data is None else sha256(upload.data).hexdigest()
    return fields, upload.filename, content


def _opened(parts: Parts, opened: Opened) -> Response:
    body: dict[str, Any] = {
        "portfolio_id": opened.portfolio_id,
        "run_id": opened.run_id,
        "status_url": None,
        "events_url": None,
        "positions": opened.positions,
        "problems": [],
        "warnings": [problem_record(item) for item in opened.warnings],
    }
    if opened.portfolio_id is None:
        return JSONResponse(body, 200)
    base = parts.settings.address
    body["status_url"] = f"{base}/api/v1/onboarding/status/{opened.portfolio_id}"
    body["events_url"] = f"{body['status_url']}/events"
    headers = {"Location": f"{base}/api/v1/portfolios/{opened.portfolio_id}"}
    if opened.run_id is None:
        return JSONResponse(body, 201, headers)
    headers |= {"Operation-Location": f"{base}/api/v1/runs/{opened.run_id}", "Retry-After": RETRY_AFTER}
    return JSONResponse(body, 202, headers)


@asynccontextmanager
async def read_form(request: Request) -> AsyncIterator[tuple[UploadFile | None, dict[str, str]]]:
    """The one file and the text fields of a multipart form; the file is gone when the block is left."""
    async with request.form(max_files=1, max_fields=16, max_part_size=FORM_BYTES) as form:
        file = form.get("file")
        fields = {name: value for name in FIELDS if isinstance(value := form.get(name), str)}
        yield file if isinstance(file, UploadFile) else None, fields


def _upload(file: UploadFile | None) -> Upload:
    """The file in memory; called where few are read at once."""
    if file is None:
        return Upload("", None)
    return Upload(shown_name(file.filename or ""), file.file.read())


@router.get("/portfolios", dependencies=[limited(RouteClass.OTHER)])
def list_portfolios(caller: SignedIn, parts: PartsOf) -> list[dict[str, Any]]:
    """The caller's portfolios, newest first."""
    return [portfolio_record(item) for item in parts.reading.portfolios(caller.user_id)]


@router.get("/portfolios/{portfolio_id}", dependencies=[limited(RouteClass.OTHER)])
def get_portfolio(portfolio_id: str, caller: SignedIn, parts: PartsOf) -> dict[str, Any]:
    """One portfolio."""
    return portfolio_record(parts.reading.portfolio(caller.user_id, portfolio_id))


@router.delete("/portfolios/{portfolio_id}", status_code=204, dependencies=[limited(RouteClass.OTHER)])
def delete_portfolio(portfolio_id: str, caller: SignedIn, parts: PartsOf) -> None:
    """Delete a portfolio; work on it stops."""
    parts.onboarding.delete(caller, portfolio_id)


def portfolio_record(item: Portfolio) -> dict[str, Any]:
    """A portfolio as it is sent."""
    base = f"/api/v1/portfolios/{item.id}"
    return {
        "portfolio_id": item.id,
        "name": item.name,
        "account_name": item.account_name,
        "account_type": item.account_type,
        "description": item.description,
        "equity": str(item.equity),
        "equity_as_of": (item.anchor or item.equity_as_of or "") and str(item.anchor or item.equity_as_of),
        "created_at": iso(item.created_at),
        "links": {
            "status": f"/api/v1/onboarding/status/{item.id}",
            "runs": f"{base}/runs",
            "snapshots": f"{base}/snapshots",
            "positions": f"{base}/positions",
            "factors": f"{base}/factors",
            "metrics": f"{base}/metrics",
        },
    }


@router.post(
    "/portfolios/{portfolio_id}/runs",
    status_code=202,
    tags=["runs"],
    responses=STARTED,
    dependencies=[limited(RouteClass.RERUN)],
)
async def start_run(
    portfolio_id: str, request: Request, caller: SignedIn, parts: PartsOf, key: KeyOf
) -> Response:
    """Start work: the active run if there is one, the next attempt after a failure, else a new run."""
    return await _start(request, parts, key, partial(parts.onboarding.start, caller, portfolio_id))


@router.get("/portfolios/{portfolio_id}/runs", tags=["runs"], dependencies=[limited(RouteClass.OTHER)])
def list_runs(portfolio_id: str, caller: SignedIn, parts: PartsOf) -> list[dict[str, Any]]:
    """The portfolio's runs, newest first."""
    return [run_record(run) for run in parts.reading.runs(caller.user_id, portfolio_id)]


@router.post(
    "/runs/{run_id}/retry",
    status_code=202,
    tags=["runs"],
    responses=STARTED,
    dependencies=[limited(RouteClass.RERUN)],
)
async def retry_run(
    run_id: str,
    request: Request,
    caller: SignedIn,
    parts: PartsOf,
    key: KeyOf,
    asked: RetryAsked | None = None,
) -> Response:
    """Start the next attempt of an ended run; 409 while it is at work."""
    only_failed = asked is not None and asked.only is not None
    retry = partial(parts.onboarding.retry, caller, run_id, only_failed=only_failed)
    return await _start(request, parts, key, retry)


@router.post(
    "/runs/{run_id}/cancel",
    status_code=202,
    tags=["runs"],
    responses=CANCELLED,
    dependencies=[limited(RouteClass.OTHER)],
)
def cancel_run(run_id: str, request: Request, caller: SignedIn, parts: PartsOf) -> Response:
    """Ask a run to stop at its next chunk; finished work is kept. 409 when it has ended."""
    run = parts.onboarding.cancel(caller, run_id)
    return _accepted(request, parts, Started(run.id, parts.reading.run(caller.user_id, run.id)))


async def _start(
    request: Request, parts: Parts, key: Key | None, command: Callable[[Once[Started]], Answer]
) -> Response:
    with idempotency.handling(request, key):
        sent = None if key is None else (await request.body()).hex()
        once = idempotency.once(request, partial(_accepted, request, parts), key, sent)
        return idempotency.send(await run_in_threadpool(command, once))


def _accepted(request: Request, parts: Parts, started: Started) -> Response:
    where = f"{parts.settings.address}/api/v1/runs/{started.run_id}"
    return send(request, started.status, 202, **{"Location": where, "Operation-Location": where})


@router.get("/onboarding/csv-template", responses=answers(200, "text/csv"), response_class=Response)
def csv_template() -> Response:
    """The template of a holdings file, with explanations and examples; needs no token."""
    headers = attachment("glassfolio-template.csv")
    return PlainTextResponse(template_csv(), media_type="text/csv; charset=utf-8", headers=headers)
