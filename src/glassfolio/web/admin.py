"""The operator's batches and runs; 403 for everybody else."""

from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictStr
from starlette.concurrency import run_in_threadpool

from glassfolio.batch.scoping import Skipped
from glassfolio.batches import Forecast, StartedBatch
from glassfolio.errors import BadScope
from glassfolio.model.run import RunKind, RunState, Trigger
from glassfolio.model.scope import ID, Scope, read_scope
from glassfolio.overseeing import BatchReport, batch_record, operators_record
from glassfolio.store.batches import Wanted
from glassfolio.web import idempotency
from glassfolio.web.access import Operator, PartsOf
from glassfolio.web.idempotency import KeyOf
from glassfolio.web.limited import limited
from glassfolio.web.limits import RouteClass
from glassfolio.web.schemas import BATCH_STARTED, answers
from glassfolio.web.status import HEADERS, LARGEST, LOG_PAGE, send

router = APIRouter(prefix="/api/v1/admin/batch", tags=["operator"])

RUNS_PAGE = 200
IdQuery = Annotated[str | None, Query(pattern=f"^{ID.pattern}$")]


def _as_text(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise ValueError("must be a date such as 2022-12-28")
    return value


Day = Annotated[date | None, BeforeValidator(_as_text)]


class BatchRequest(BaseModel):
    """A batch that an operator asks for. Without portfolio_ids: all; an empty list is refused."""

    model_config = ConfigDict(extra="forbid")

    portfolio_ids: list[StrictStr] | None = None
    force_rerun: StrictBool = False
    scoped_only: StrictBool = False
    start_date: Day = Field(default=None, description="first session; without it, where the history begins")
    end_date: Day = Field(default=None, description="last session; without it, the newest")
    dry_run: StrictBool = False

    def scope(self) -> Scope:
        """What is asked for. Raises BadScope."""
        asked = read_scope(
            self.portfolio_ids,
            scoped_only=self.scoped_only,
            force_rerun=self.force_rerun,
            start=self.start_date,
            end=self.end_date,
        )
        if not isinstance(asked, Scope):
            raise BadScope(asked)
        return asked


@router.post("/runs", status_code=202, responses=BATCH_STARTED, dependencies=[limited(RouteClass.RERUN)])
async def start_batch(
    asked: BatchRequest, request: Request, caller: Operator, parts: PartsOf, key: KeyOf
) -> Response:
    """Start a run for each portfolio of a scope, or tell what that would touch."""
    scope = asked.scope()
    if asked.dry_run:
        return JSONResponse(_foreseen(await run_in_threadpool(parts.batches.dry_run, caller, scope)))
    with idempotency.handling(request, key):
        once = idempotency.once(request, _started, key, (await request.body()).hex())
        return idempotency.send(await run_in_threadpool(parts.batches.start, caller, scope, once))


def _started(batch: StartedBatch) -> Response:
    body = {
        "batch_id": batch.batch_id,
        "runs": [
            {
                "run_id": run.run_id,
                "portfolio_id": run.portfolio_id,
                "kind": run.kind.value,
                "sessions": _span(run.touched),
            }
            for run in batch.runs
        ],
        "skipped": _skipped(batch.skipped),
    }
    return JSONResponse(body, 202, {"Location": f"/api/v1/admin/batch/runs/{batch.batch_id}"})


def _foreseen(forecast: Forecast) -> dict[str, Any]:
    asked = sorted({symbol for job in forecast.jobs for symbol in job.asked})
    return {
        "batch_id": None,
        "portfolios": [
            {
                "portfolio_id": job.portfolio_id,
                "kind": job.kind.value,
                "sessions": _span(job.touched),
                "symbols": list(job.asked),
                "requests": len(job.asked),
            }
            for job in forecast.jobs
        ],
        "skipped": _skipped(forecast.skipped),
        "pairs": sum(len(job.touched) for job in forecast.jobs),
        "symbols": asked,
        "requests": sum(len(job.asked) for job in forecast.jobs),
    }


def _span(touched: tuple[date, ...]) -> dict[str, Any]:
    return {"count": len(touched), "first": touched[0].isoformat(), "last": touched[-1].isoformat()}


def _skipped(skipped: tuple[Skipped, ...]) -> list[dict[str, str]]:
    return [{"portfolio_id": one.portfolio_id, "reason": one.reason.value} for one in skipped]


@router.get("/runs", dependencies=[limited(RouteClass.OTHER)])
def list_batch_runs(
    caller: Operator,
    parts: PartsOf,
    state: RunState | None = None,
    kind: RunKind | None = None,
    trigger: Trigger | None = None,
    portfolio_id: IdQuery = None,
    batch_id: IdQuery = None,
    limit: Annotated[int, Query(ge=1, le=RUNS_PAGE)] = 50,
    cursor: IdQuery = None,
) -> Response:
    """Runs of anybody, newest first; `next_cursor` leads on."""
    wanted = Wanted(state, kind, trigger, portfolio_id, batch_id)
    runs = parts.overseeing.runs(caller, wanted, limit, cursor)
    following = runs[-1].id if len(runs) == limit else None
    body = {"runs": [operators_record(run) for run in runs], "next_cursor": following}
    return JSONResponse(body, headers=HEADERS)


@router.get(
    "/runs/{run_id}",
    responses=answers(200, "application/json"),
    dependencies=[limited(RouteClass.STATUS)],
)
def look_at_run(run_id: str, request: Request, caller: Operator, parts: PartsOf) -> Response:
    """A batch, by its id, or the status document of anybody's run."""
    found = parts.overseeing.look(caller, run_id)
    if isinstance(found, BatchReport):
        return JSONResponse(batch_record(found), headers=HEADERS)
    return send(request, found)


@router.get("/runs/{run_id}/logs", dependencies=[limited(RouteClass.OTHER)])
def read_logs(
    run_id: str,
    caller: Operator,
    parts: PartsOf,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=LOG_PAGE)] = LOG_PAGE,
) -> Response:
    """The log of anybody's run, or of all runs of a batch, by cursor."""
    entries, following = parts.overseeing.log(caller, run_id, after, limit)
    return JSONResponse({"entries": entries, "next_after": following}, headers=HEADERS)


@router.post(
    "/runs/{run_id}/cancel",
    status_code=202,
    responses=answers(202, "application/json"),
    dependencies=[limited(RouteClass.OTHER)],
)
async def cancel_batch(run_id: str, request: Request, caller: Operator, parts: PartsOf) -> Response:
    """Ask a run, or all of a batch's, to stop at the next chunk; 409 when all have ended."""
    await run_in_threadpool(partial(parts.batches.cancel, caller, run_id))
    found = await run_in_threadpool(parts.overseeing.look, caller, run_id)
    if isinstance(found, BatchReport):
        return JSONResponse(batch_record(found), 202, HEADERS)
    return send(request, found, 202)
