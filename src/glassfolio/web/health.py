"""Is it alive, and is it ready."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from glassfolio.db import migrate
from glassfolio.errors import GlassfolioError
from glassfolio.store import rows
from glassfolio.web.access import PartsOf
from glassfolio.web.errors import RETRY_AFTER_SECONDS
from glassfolio.web.schemas import answers

READINESS = {**answers(200, "application/json"), **answers(503, "application/json")}

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> Response:
    """The process answers."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz", responses=READINESS)
def ready(parts: PartsOf) -> Response:
    """Database, migrations, a living worker, and keys to check tokens with."""
    checks = {"database": False, "migrations": False, "worker": False, "keys": parts.verifier.keys.alive()}
    try:
        checks["migrations"] = migrate.is_current(parts.database)
        checks["database"] = True
        with parts.database.reading() as connection:
            alive_workers = rows.workers_alive(connection, parts.settings.lease, parts.database.dialect.epoch)
        checks["worker"] = alive_workers > 0
    except GlassfolioError:
        pass
    if all(checks.values()):
        return JSONResponse({"ready": True, **checks})
    return JSONResponse({"ready": False, **checks}, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)})
