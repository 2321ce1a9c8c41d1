"""Every error as an RFC 9457 problem; the only place where exceptions meet HTTP codes.

Nothing that was sent is echoed, but for the faulty cell of an owner's own file.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassfolio import errors
from glassfolio.db.engine import storage_fault
from glassfolio.imports.problems import groups
from glassfolio.model.holdings import Problem
from glassfolio.model.scope import ScopeProblem
from glassfolio.web.access import address_of
from glassfolio.web.limits import refused

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 1000
NO_STORE = {"Cache-Control": "no-store"}

STATUS: Mapping[type[errors.GlassfolioError], int] = {
    errors.NotFound: 404,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.OperatorsOnly: 403,
    errors.LookingOnly: 403,
    errors.CrossSite: 403,
    errors.LinkSpent: 410,
    errors.WrongPassword: 403,
    errors.TooManyTries: 429,
    errors.BadPassword: 422,
    errors.Refused: 422,
    errors.BadHoldings: 422,
    errors.AccountNameTaken: 409,
    errors.RunActive: 409,
    errors.RunEnded: 409,
    errors.NothingToValue: 422,
    errors.BadIdempotencyKey: 422,
    errors.BadScope: 422,
    errors.IdempotencyKeyReused: 422,
    errors.IdempotencyKeyInUse: 409,
    errors.TooManyRequests: 429,
    errors.ServiceFull: 503,
    errors.SettingsError: 500,
    errors.StorageError: 503,
    errors.StorageFull: 503,
    errors.StorageReadOnly: 503,
    errors.StorageUnavailable: 503,
    errors.MigrationNeeded: 503,
    errors.ProviderFault: 503,
    errors.ProviderUnavailable: 503,
    errors.ProviderRateLimited: 503,
    errors.ProviderKeyRejected: 503,
    errors.Superseded: 409,
    errors.GlassfolioError: 500,
}
CODES: Mapping[type[errors.GlassfolioError], str] = {
    errors.GlassfolioError: "INTERNAL_ERROR",
    errors.NotFound: "NOT_FOUND",
    errors.NotSignedIn: "NOT_SIGNED_IN",
    errors.NotAllowed: "NOT_ALLOWED",
    errors.OperatorsOnly: "OPERATORS_ONLY",
    errors.LookingOnly: "LOOKING_ONLY",
    errors.CrossSite: "CROSS_SITE",
    errors.LinkSpent: "LINK_SPENT",
    errors.WrongPassword: "WRONG_PASSWORD",
    errors.TooManyTries: "TOO_MANY_TRIES",
    errors.BadPassword: "BAD_PASSWORD",
    errors.Refused: "REFUSED",
    errors.SettingsError: "BAD_SETTINGS",
    errors.StorageError: "STORAGE_UNAVAILABLE",
    errors.MigrationNeeded: "MIGRATION_NEEDED",
    errors.ProviderFault: "PROVIDER_UNAVAILABLE",
    errors.ProviderUnavailable: "PROVIDER_UNAVAILABLE",
    errors.ProviderRateLimited: "PROVIDER_RATE_LIMITED",
    errors.ProviderKeyRejected: "PROVIDER_KEY_REJECTED",
    errors.Superseded: "SUPERSEDED",
    errors.BadHoldings: "BAD_HOLDINGS",
    errors.AccountNameTaken: "ERR_PORT_001",
    errors.RunActive: "RUN_ACTIVE",
    errors.RunEnded: "RUN_ENDED",
    errors.NothingToValue: "NOTHING_TO_VALUE",
    errors.BadScope: "BAD_SCOPE",
    errors.BadIdempotencyKey: "BAD_IDEMPOTENCY_KEY",
    errors.IdempotencyKeyReused: "IDEMPOTENCY_KEY_REUSED",
    errors.IdempotencyKeyInUse: "IDEMPOTENCY_KEY_IN_USE",
    errors.TooManyRequests: "TOO_MANY_REQUESTS",
    errors.ServiceFull: "SERVICE_FULL",
    errors.StorageFull: "STORAGE_FULL",
    errors.StorageReadOnly: "STORAGE_READ_ONLY",
    errors.StorageUnavailable: "STORAGE_UNAVAILABLE",
}
# What the framework or a bound on requests refuses.
HTTP_CODES: Mapping[int, str] = {
    400: "MALFORMED_REQUEST",
    404: "NO_SUCH_ADDRESS",
    405: "METHOD_NOT_ALLOWED",
    408: "BODY_TOO_SLOW",
    413: "BODY_TOO_LARGE",
    415: "COMPRESSED_REQUEST",
    431: "HEADERS_TOO_LARGE",
}
HTTP_DETAILS: Mapping[int, str] = {
    400: "The request's body cannot be read.",
    404: "There is no such address.",
    405: "This address does not take this method.",
    408: "The request's body took too long to arrive.",
    413: "The request's body is too large.",
    415: "Compressed bodies are not taken; send it as it is.",
    431: "The request's headers are too large.",
}
# A file's own problem may call for a more exact code than 422.
FILE_STATUS: Mapping[str, int] = {"ERR_CSV_001": 413, "ERR_CSV_002": 415}
RETRY_AFTER_SECONDS = 5


def problem_response(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> JSONResponse:
    """One problem. more: members beyond the standard ones."""
    body = {
        "type": f"https://glassfolio.dev/problems/{code.lower().replace('_', '-')}",
        "title": _title(status),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id(request),
        **more,
    }
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers={**NO_STORE, **(headers or {})})


def request_id(request: Request) -> str:
    """The id that names this request in the operator's log."""
    if not hasattr(request.state, "request_id"):
        request.state.request_id = str(uuid4())
    return str(request.state.request_id)


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


def install(app: FastAPI) -> None:
    """Turn every exception of the application into a problem."""
    app.add_exception_handler(errors.GlassfolioError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


class LastResort:
    """Answers what nobody expected with a problem, and keeps the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; whatever it raises before its answer has begun becomes that answer."""
        begun = False

        async def watching(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watching)
        except ClientDisconnect:
            # Nobody is there any more to be answered.
            return
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            problem = await _unexpected(Request(scope), error)
            await problem(scope, receive, send)


async def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.GlassfolioError)
    return answer(request, error)


def answer(request: Request, error: errors.GlassfolioError) -> JSONResponse:
    """The problem that one of our exceptions becomes."""
    status = STATUS[type(error)]
    code = CODES[type(error)]
    if isinstance(error, errors.BadHoldings):
        return _holdings(request, error)
    if isinstance(error, errors.NotFound):
        # The same bytes for absent, deleted and foreign; the request id goes in a header only.
        return not_found(request)
    if isinstance(error, errors.AccountNameTaken):
        href = f"/api/v1/portfolios/{error.portfolio_id}"
        return problem_response(request, status, code, str(error), links={"portfolio": href})
    if isinstance(error, errors.BadScope):
        return _scope(request, error)
    headers = {}
    if isinstance(error, errors.NotSignedIn):
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        _count_failure(request)
    if isinstance(error, errors.TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
        request.state.standing = refused(error)
    if isinstance(error, errors.IdempotencyKeyInUse):
        headers["Retry-After"] = "1"
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        log.error("request %s: %s", request_id(request), error, exc_info=error)
    return problem_response(request, status, code, str(error), headers=headers)


def _count_failure(request: Request) -> None:
    """A request that shows no credentials has cost nothing and guessed nothing."""
    if "authorization" in request.headers or "ticket" in request.query_params:
        request.app.state.limits.failed_sign_in(address_of(request))


def not_found(_request: Request) -> JSONResponse:
    """The one 404 of everything that belongs to somebody."""
    body = {
        "type": "https://glassfolio.dev/problems/not-found",
        "title": "Not Found",
        "status": 404,
        "code": "NOT_FOUND",
        "detail": str(errors.NotFound()),
    }
    return JSONResponse(body, 404, media_type=MEDIA_TYPE, headers=NO_STORE)


def _holdings(request: Request, error: errors.BadHoldings) -> JSONResponse:
    found = [item for item in error.problems if isinstance(item, Problem)]
    status = next((FILE_STATUS[p.code] for p in found if p.code in FILE_STATUS), 422)
    shown = found[:MOST_ERRORS]
    blocking = sum(p.severity.value == "error" for p in found)
    return problem_response(
        request,
        status,
        found[0].code if len(found) == 1 else "BAD_HOLDINGS",
        found[0].detail if len(found) == 1 else f"{blocking} problems; nothing was stored.",
        total_errors=len(found),
        groups=[
            {"code": g.code, "column": g.column, "count": g.count, "lines": list(g.lines)}
            for g in groups(found)
        ],
        errors=[problem_record(item) for item in shown],
    )


def _scope(request: Request, error: errors.BadScope) -> JSONResponse:
    found = [item for item in error.problems if isinstance(item, ScopeProblem)]
    return problem_response(
        request,
        422,
        CODES[errors.BadScope],
        str(error),
        total_errors=len(found),
        errors=[
            {"code": item.code.value, "pointer": item.pointer, "detail": item.detail}
            for item in found[:MOST_ERRORS]
        ],
    )


def problem_record(item: Problem) -> dict[str, object]:
    """A problem of a file or form as it is sent."""
    pointer = None
    if item.column is not None:
        pointer = f"/{item.column}" if item.line is None else f"/rows/{item.line}/{item.column}"
    return {
        "code": item.code,
        "severity": item.severity.value,
        "line": item.line,
        "end_line": item.end_line,
        "column": item.column,
        "pointer": pointer,
        "value": item.value,
        "detail": item.detail,
        "hint": item.hint,
        "params": dict(item.params),
    }


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = [
        {"pointer": "/" + "/".join(str(part) for part in item["loc"]), "detail": item["msg"]}
        for item in error.errors()
    ]
    return problem_response(
        request, 422, "INVALID_REQUEST", "The request has invalid parameters.", errors=details
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return refuse(request, error.status_code, headers=error.headers)


def refuse(request: Request, status: int, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem of a request that never reached its route."""
    code = HTTP_CODES.get(status, "HTTP_ERROR")
    return problem_response(request, status, code, HTTP_DETAILS.get(status, _title(status)), headers=headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    fault = storage_fault(error)
    if fault is not None:
        return answer(request, fault)
    log.error("request %s failed", request_id(request), exc_info=error)
    return problem_response(
        request, 500, "INTERNAL_ERROR", "Something went wrong on our side; give the operator the request id."
    )
