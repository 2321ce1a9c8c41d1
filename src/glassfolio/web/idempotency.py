"""`Idempotency-Key`: a request that its sender may repeat, and its answer as it is kept and sent again.

While a key is handled in this process, the same key is refused at once, before its body is read. Another
process is not asked: there the request waits for the transaction of the first, which is where keys are
settled. A set in memory is forgotten when the process dies, so nothing blocks a key for longer.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from pydantic import WithJsonSchema

from glassfolio.errors import BadIdempotencyKey, IdempotencyKeyInUse
from glassfolio.onboarding import Once
from glassfolio.store.idempotency import Answer, Repeatable
from glassfolio.web import errors
from glassfolio.web.access import SignedIn
from glassfolio.web.schemas import EXAMPLE_ID

Done = TypeVar("Done")

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
LONGEST = 255
PRINTABLE = re.compile(rf"[ -~]{{1,{LONGEST}}}")
SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST,
    # Blanks around a header's value belong to the header.
    "pattern": "^[!-~]([ -~]*[!-~])?$",
    "example": EXAMPLE_ID,
}
DESCRIPTION = (
    "Makes the request safe to repeat. For 24 hours the same key with the same request has the same answer, "
    "and the work is done once. Any printable word of your own, such as a UUID."
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key in use: whose, on which route (method and path), and what it is."""

    user_id: str
    route: str
    text: str


async def find_key(
    request: Request,
    caller: SignedIn,
    given: Annotated[
        str | None, WithJsonSchema(SCHEMA), Header(alias=HEADER, description=DESCRIPTION)
    ] = None,
) -> Key | None:
    """The key of a request; None without one. Raises BadIdempotencyKey."""
    if given is None:
        return None
    if len(request.headers.getlist(HEADER)) > 1 or not PRINTABLE.fullmatch(given):
        raise BadIdempotencyKey
    return Key(caller.user_id, f"{request.method} {request.scope['path']}", given)


KeyOf = Annotated[Key | None, Depends(find_key)]


@contextmanager
def handling(request: Request, key: Key | None) -> Iterator[None]:
    """One request with a key at a time; used from the event loop only. Raises IdempotencyKeyInUse."""
    in_use: set[Key] = request.app.state.keys_in_use
    if key is None:
        yield
        return
    if key in in_use:
        raise IdempotencyKeyInUse
    in_use.add(key)
    try:
        yield
    finally:
        in_use.remove(key)


def once(request: Request, word: Callable[[Done], Response], key: Key | None, sent: object) -> Once[Done]:
    """How a command's outcome is answered. sent: what the request says beside its query, as JSON takes it."""
    asked = None
    if key is not None:
        whole = json.dumps([sorted(request.query_params.multi_items()), sent], allow_nan=False)
        asked = Repeatable(key.user_id, key.route, key.text, sha256(whole.encode()).hexdigest())
    return Once(
        word=lambda done: _answer(word(done)),
        refuse=lambda refused: _answer(errors.answer(request, refused)),
        request=asked,
    )


def _answer(response: Response) -> Answer:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer(response.status_code, headers, bytes(response.body))


def send(answer: Answer) -> Response:
    """An answer as a response, which says when an earlier request had it."""
    more = {REPLAYED: "true"} if answer.replayed else {}
    return Response(answer.body, answer.status, {**answer.headers, **more})
