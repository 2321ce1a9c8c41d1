"""The addresses of event streams."""

import json
from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from glassfolio.following import News, Topic
from glassfolio.reading import StatusAnswer
from glassfolio.web.access import PartsOf, Watching
from glassfolio.web.limited import LimitedStream
from glassfolio.web.live import Client, EventStream, Hub
from glassfolio.web.schemas import STREAMED
from glassfolio.web.status import LARGEST, look_up

router = APIRouter(prefix="/api/v1", tags=["events"])

LastId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)]
After = Annotated[int | None, Query(ge=0, le=LARGEST)]


@router.get(
    "/onboarding/status/{portfolio_id}/events",
    responses=STREAMED,
    response_class=Response,
    dependencies=[Depends(LimitedStream())],
)
async def status_events(
    portfolio_id: str,
    request: Request,
    caller: Watching,
    parts: PartsOf,
    last_event_id: LastId = None,
    after: After = None,
) -> Response:
    """The status document at each change, over new attempts and runs, as server-sent events."""
    hub, topic, client = _hub(request), Topic(portfolio_id), Client(caller.user_id)
    with ExitStack() as undo:
        # Joined first, so that nothing is missed between the read and the stream.
        hub.join(topic, client)
        undo.callback(hub.part, topic, client)
        answer = await look_up(parts, lambda: parts.reading.status(caller.user_id, portfolio_id))
        response = _stream(hub, topic, client, answer, _last_id(last_event_id, after))
        undo.pop_all()
    return response


@router.get(
    "/runs/{run_id}/events",
    tags=["runs"],
    responses=STREAMED,
    response_class=Response,
    dependencies=[Depends(LimitedStream())],
)
async def run_events(
    run_id: str,
    request: Request,
    caller: Watching,
    parts: PartsOf,
    last_event_id: LastId = None,
    after: After = None,
) -> Response:
    """The document of one run at each change, as server-sent events."""
    answer = await look_up(parts, lambda: parts.reading.run(caller.user_id, run_id))
    hub, topic = _hub(request), Topic(json.loads(answer.body)["portfolio_id"], run_id)
    client = Client(caller.user_id)
    hub.join(topic, client)
    return _stream(hub, topic, client, answer, _last_id(last_event_id, after))


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


def _last_id(header: str | None, query: int | None) -> int | None:
    """What the client has already; the browser's own header comes first."""
    if header is not None and header.isascii() and header.isdigit():
        return int(header)
    return query


def _stream(hub: Hub, topic: Topic, client: Client, answer: StatusAnswer, last_id: int | None) -> Response:
    """The stream; nothing at all for a client that has the last word of an ended run: it stays away then."""
    if answer.ended and answer.tag is not None and last_id == answer.seq:
        hub.part(topic, client)
        return Response(status_code=204)
    ended = answer.ended and answer.tag is not None
    return EventStream(hub, topic, client, News(topic, answer.seq, ended, answer.body), last_id)
