"""The program, except that its service refuses nobody for asking often: `python -m bench.unlimited serve`."""

from fastapi import FastAPI

from glassfolio.cli import main
from glassfolio.web.app import create_app
from glassfolio.web.limits import Limits
from glassfolio.wiring import Parts


def make_app(parts: Parts, with_worker: bool) -> FastAPI:
    """The application without limits."""
    return create_app(parts, with_worker=with_worker, limits=Limits.none())


if __name__ == "__main__":
    main.run(make_app)
