"""The operator's log: structured, on standard error, apart from anything an owner sees.

What opens a door is struck out of every entry, whoever wrote it.
"""

import logging
import re
import sys
from typing import Literal, TextIO

import structlog

# Tokens; tickets in an address; one-time links; headers that carry any of them.
SECRETS = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?<=ticket=)[^&\s\"']+"
    r"|(?<=/sign-in/)[\w-]+"
    r"|(?<=session=)[\w.-]{20,}"
    r"|(?i:(?<=bearer )[\w.~+/=-]+)",
    re.ASCII,
)
STRUCK = "***"


def strike_out(
    _logger: object, _method: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Strike secrets out of an entry's texts."""
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = SECRETS.sub(STRUCK, value)
    return entry


def one_line(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what could begin another line, or another colour, in a log that people read."""
    return {
        key: _escaped(value) if isinstance(value, str) and key != "exception" else value
        for key, value in event.items()
    }


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def configure(form: Literal["console", "json"] | None, stream: TextIO | None = None) -> None:
    """Send all logging to standard error, or to `stream`, as lines for people or as JSON; None decides by
    the terminal.
    """
    chosen = form or ("console" if sys.stderr.isatty() else "json")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if chosen == "json" else structlog.dev.ConsoleRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        strike_out,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, one_line, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
