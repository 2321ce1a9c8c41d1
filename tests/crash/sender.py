"""A process of the API that dies over one upload: `python -m tests.crash.sender ORDERS`, orders as JSON."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from starlette.types import Message, Receive, Scope, Send

from glassfolio.web.app import create_app
from glassfolio.web.limits import Limits
from glassfolio.wiring import assemble
from tests.contracts.running import ONE_LOT, make_settings


@dataclass(frozen=True)
class Orders:
    """What to send, and when to die.

    moment: `inside` the transaction, when all is written that belongs to it; `after` its commit, before
    anything is answered.
    """

    folder: str
    database_url: str
    token: str
    key: str
    fields: dict[str, str]
    moment: str


def upload(client_post: Any, key: str, fields: dict[str, str]) -> Any:
    """The one request, as this process and whoever repeats it send it."""
    files = {"file": ("holdings.csv", ONE_LOT.encode(), "text/csv")}
    return client_post("/api/v1/portfolios", files=files, data=fields, headers={"Idempotency-Key": key})


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def send(orders: Orders) -> None:
    """Send the upload to an application in this process."""
    parts = assemble(make_settings(Path(orders.folder), orders.database_url))
    app = create_app(parts, with_worker=False, limits=Limits.none())

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if orders.moment == "inside" and statement.startswith("INSERT INTO idempotency_key"):
            die()

    async def deadly(scope: Scope, receive: Receive, send: Send) -> None:
        async def answering(_message: Message) -> None:
            die()

        await app(scope, receive, answering)

    sa.event.listen(parts.database.engine, "after_cursor_execute", look)
    headers = {"Authorization": f"Bearer {orders.token}"}
    transport = httpx.ASGITransport(deadly)
    async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
        await upload(client.post, orders.key, orders.fields)


if __name__ == "__main__":
    asyncio.run(send(Orders(**json.loads(sys.argv[1]))))
