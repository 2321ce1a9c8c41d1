"""The program, except that its service refuses nobody for asking often: `python -m bench.unlimited serve`."""

from typing import TYPE_CHECKING

from glassfolio.cli import main

if TYPE_CHECKING:
    from fastapi import FastAPI

    from glassfolio.wiring import Parts


def make_app(parts: "Parts", with_worker: bool) -> "FastAPI":
    """The application without limits."""
    from glassfolio.web.app import create_app
    from glassfolio.web.limits import Limits

    return create_app(parts, with_worker=with_worker, limits=Limits.none())


if __name__ == "__main__":
    main.run(make_app)
