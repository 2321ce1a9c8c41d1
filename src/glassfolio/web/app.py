"""The application: routes, errors, and what lives as long as the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from glassfolio import __version__
from glassfolio.web import errors, events, health, live, portfolios, results, status
from glassfolio.web.access import Users
from glassfolio.web.limits import BodyLimit
from glassfolio.web.schemas import publish_example
from glassfolio.wiring import Parts, Worker, observer


def create_app(parts: Parts, *, with_worker: bool = True) -> FastAPI:
    """The application over `parts`; with a worker inside unless told not to."""
    hub = live.Hub()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watching = observer(parts)
        following = live.Watcher(parts, hub, asyncio.get_running_loop())
        worker = await run_in_threadpool(Worker, parts) if with_worker else None
        if worker is not None:
            await run_in_threadpool(worker.start)
        watching.start()
        following.start()
        try:
            yield
        finally:
            hub.close()
            await run_in_threadpool(following.stop)
            watching.stop()
            if worker is not None:
                await run_in_threadpool(worker.stop)

    app = FastAPI(
        title="glassfolio",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.parts = parts
    app.state.users = Users(parts)
    app.state.hub = hub
    errors.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(errors.LastResort)
    # Polled most, so matched first.
    app.include_router(status.router)
    app.include_router(events.router)
    app.include_router(portfolios.router)
    app.include_router(results.router)
    app.include_router(health.router)
    publish_example(app)
    return app
