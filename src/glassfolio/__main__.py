"""The console entry: hands the web application's maker to the command line."""

from typing import TYPE_CHECKING

from glassfolio.cli import main as cli

if TYPE_CHECKING:
    from fastapi import FastAPI

    from glassfolio.wiring import Parts


def _make_app(parts: "Parts", with_worker: bool) -> "FastAPI":
    from glassfolio.web.app import create_app

    return create_app(parts, with_worker=with_worker)


def main() -> None:
    """Run the command line."""
    cli.run(_make_app)


if __name__ == "__main__":
    main()
