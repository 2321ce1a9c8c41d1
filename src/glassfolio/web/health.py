"""Is it alive, and is it ready."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from glassfolio.db import migrate
from glassfolio.errors import GlassfolioError
from glassfolio.store import rows
from glassfolio.web.access import PartsOf

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> Response:
    """The process answers."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
def ready(parts: PartsOf) -> Response:
    """Database, migrations and a living worker."""
    checks = {"database": False, "migrations": False, "worker": False}
    try:
        checks["migrations"] = migrate.is_current(parts.database)
        checks["database"] = True
        with parts.database.reading() as connection:
            alive_workers = rows.workers_alive(connection, parts.settings.lease, parts.database.dialect.epoch)
        checks["worker"] = alive_workers > 0
    except GlassfolioError:
        pass
    return JSONResponse({"ready": all(checks.values()), **checks}, 200 if all(checks.values()) else 503)
