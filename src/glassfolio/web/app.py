"""The application: routes, errors, and what lives as long as the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from glassfolio import __version__
from glassfolio.web import (
    admin,
    errors,
    events,
    health,
    live,
    page_security,
    pages,
    portfolio_pages,
    portfolios,
    results,
    sign_in,
    status,
    tokens,
)
from glassfolio.web.access import Users
from glassfolio.web.bounds import Bounds
from glassfolio.web.limits import Limits, TellLimits, policies
from glassfolio.web.schemas import Described
from glassfolio.wiring import Parts, Worker, observer

# Polled most, so matched first.
ROUTES = (
    status.router,
    events.router,
    portfolios.router,
    results.router,
    admin.router,
    health.router,
    tokens.router,
    sign_in.router,
    pages.router,
    portfolio_pages.router,
)


def create_app(parts: Parts, *, with_worker: bool = True, limits: Limits | None = None) -> FastAPI:
    """The application over `parts`; with a worker inside unless told not to.

    limits: the counters of this process, those of the settings unless given.
    """
    counters = limits or Limits(policies(parts.settings.status_polls, parts.settings.uploads))
    hub = live.Hub(counters.streams)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watching = observer(parts)
        following = live.Watcher(parts, hub, asyncio.get_running_loop())
        worker = await run_in_threadpool(Worker, parts) if with_worker else None
        if worker is not None:
            await run_in_threadpool(worker.start)
        watching.start()
        following.start()
        renewing = asyncio.create_task(parts.verifier.keys.keep_fresh())
        try:
            yield
        finally:
            renewing.cancel()
            hub.close()
            await run_in_threadpool(following.stop)
            watching.stop()
            if worker is not None:
                await run_in_threadpool(worker.stop)

    app = Described(
        title="glassfolio",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.parts = parts
    app.state.users = Users(parts)
    app.state.limits = counters
    app.state.keys_in_use = set()
    app.state.hub = hub
    errors.install(app)
    # The last one added meets a request first.
    app.add_middleware(errors.LastResort)
    app.add_middleware(pages.ErrorPages)
    page_security.install(app, parts.settings)
    app.add_middleware(Bounds)
    app.add_middleware(TellLimits)
    for routes in ROUTES:
        app.include_router(routes)
    app.mount("/static", pages.STATIC)
    return app
