"""The published description beyond the routes' own signatures: documents, problems, who must sign in.

Knows the shapes that are sent, and nothing of how they come about.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from glassfolio.imports.form import MAX_ACCOUNT_NAME, MAX_DESCRIPTION, MAX_NAME
from glassfolio.model.holdings import ACCOUNT_TYPES
from glassfolio.web.status_document import StatusDocument, components

Schema = dict[str, Any]

# Answered without a token.
OPEN_PATHS = frozenset(
    {"/healthz", "/readyz", "/metrics", "/api/v1/onboarding/csv-template", "/.well-known/jwks.json"}
)
PROBLEM_TYPE = "application/problem+json"
EXAMPLE_ID = "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10"


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _or_null(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


def _refer(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ID: Schema = {"type": "string", "format": "uuid"}

FAULT = _object(
    ("detail", "pointer"),
    code=TEXT,
    severity={"enum": ["error", "warning"]},
    line=_or_null("integer", minimum=1),
    end_line=_or_null("integer", minimum=1),
    column=_or_null("string"),
    pointer=_or_null("string"),
    value=_or_null("string", maxLength=64),
    detail=TEXT,
    hint=TEXT,
    params={"type": "object"},
)
PROBLEM = _object(
    ("type", "title", "status", "code", "detail"),
    type={"type": "string", "format": "uri"},
    title=TEXT,
    status={"type": "integer", "minimum": 400, "maximum": 599},
    code=TEXT,
    detail=TEXT,
    request_id=ID,
    total_errors=COUNT,
    errors={"type": "array", "items": _refer("Fault")},
)
OPENED = _object(
    ("portfolio_id", "run_id", "positions", "problems", "warnings"),
    portfolio_id=_or_null("string", format="uuid"),
    run_id=_or_null("string", format="uuid"),
    status_url=_or_null("string", format="uri"),
    events_url=_or_null("string", format="uri"),
    positions=COUNT,
    problems={"type": "array", "items": _refer("Fault")},
    warnings={"type": "array", "items": _refer("Fault")},
)
EVENT = _object(
    ("data",),
    id={"type": "string", "pattern": "^[0-9]+$"},
    event={"enum": ["status", "done", "reconnect"]},
    data={"type": "string", "description": "JSON in one line: of `status` the document, of `done` its seq"},
    retry=COUNT,
)
COMPONENTS: Mapping[str, Schema] = {
    "Event": EVENT,
    "Fault": FAULT,
    "Opened": OPENED,
    "Problem": PROBLEM,
    **components(),
}

UPLOAD_FORM: Schema = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": _object(
                ("file", "name", "account_name", "account_type", "equity"),
                file={"type": "string", "format": "binary"},
                name={"type": "string", "minLength": 1, "maxLength": MAX_NAME},
                account_name={"type": "string", "minLength": 1, "maxLength": MAX_ACCOUNT_NAME},
                account_type={"type": "string", "enum": list(ACCOUNT_TYPES)},
                equity={"type": "string", "description": "US dollars, above 0, at most two decimals"},
                equity_as_of={"type": "string", "description": "a date; may be empty"},
                description={"type": "string", "maxLength": MAX_DESCRIPTION},
            ),
            "example": {
                "file": "Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,100,126.00,2021-03-15\n",
                "name": "My portfolio",
                "account_name": "Broker 1234",
                "account_type": "taxable",
                "equity": "125000.00",
            },
        }
    },
}


def answers(status: int, *media: str, schema: str | None = None, **more: Any) -> dict[int | str, Schema]:
    """One documented success: its media types, the first of them with a schema of the components."""
    content: dict[str, Schema] = {kind: {"schema": {"type": "string"}} for kind in media}
    if schema is not None:
        content[media[0]] = {"schema": _refer(schema)}
    elif media and media[0] == "application/json":
        content[media[0]] = {"schema": {}}
    return {status: {"description": "As asked.", "content": content, **more}}


ID_LINKS: Schema = {
    "links": {
        name: {"operationId": operation, "parameters": {parameter: f"$response.body#/{parameter}"}}
        for name, operation, parameter in (
            ("Status", "onboarding_status", "portfolio_id"),
            ("Portfolio", "get_portfolio", "portfolio_id"),
            ("Delete", "delete_portfolio", "portfolio_id"),
            ("Run", "run_status", "run_id"),
            ("Cancel", "cancel_run", "run_id"),
            ("Retry", "retry_run", "run_id"),
        )
    }
}
REPLAYED: Schema = {
    "headers": {
        "Idempotency-Replayed": {
            "description": "The answer that an earlier request with this Idempotency-Key had.",
            "schema": {"const": "true"},
        }
    }
}
UPLOADED = {
    **answers(200, "application/json", schema="Opened"),
    **answers(201, "application/json", schema="Opened", **REPLAYED),
    **answers(202, "application/json", schema="Opened", **ID_LINKS, **REPLAYED),
}
PORTFOLIO_ID: Schema = {"name": "portfolio_id", "in": "path", "required": True, "schema": ID}
STATUS_ANSWERS = {
    **answers(200, "application/json", schema=StatusDocument.__name__),
    304: {"description": "Nothing has changed since the version in If-None-Match."},
}
STREAMED = {
    **answers(200, "text/event-stream", schema="Event"),
    204: {"description": "The run has ended, and its last word is known by Last-Event-ID."},
}
STARTED = answers(202, "application/json", schema=StatusDocument.__name__, **REPLAYED)
BATCH_STARTED = {**answers(200, "application/json"), **answers(202, "application/json", **REPLAYED)}
CANCELLED = answers(202, "application/json", schema=StatusDocument.__name__)
TABLES = answers(200, "application/json", "text/csv")


class Described(FastAPI):
    """An application whose description names every problem, and who must sign in."""

    def openapi(self) -> Schema:
        """The description, made once."""
        if self.openapi_schema is None:
            made = super().openapi()
            components = made.setdefault("components", {})
            # The framework's own shapes of refusals are not what we send.
            bodies = {k: v for k, v in components.get("schemas", {}).items() if "ValidationError" not in k}
            components["schemas"] = {**bodies, **COMPONENTS}
            components["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            }
            for path, methods in made["paths"].items():
                for operation in methods.values():
                    _complete(path, operation)
            self.openapi_schema = made
        return self.openapi_schema


def _complete(path: str, operation: Schema) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # The framework's own shape, which is not what we send.
    needs_token, names_something = path not in OPEN_PATHS, "{" in path
    for status, title, applies in (
        ("401", "No token, or one that does not hold.", needs_token),
        ("404", "Absent, deleted or somebody else's: the same bytes.", names_something),
        ("422", "What was sent cannot be accepted; all reasons at once.", needs_token),
        ("429", "Too many requests; Retry-After says when to come back.", needs_token),
        ("503", "The database cannot do it just now; Retry-After says when to come back.", needs_token),
        ("default", "Any other problem.", True),
    ):
        if applies:
            problem = {"description": title, "content": {PROBLEM_TYPE: {"schema": _refer("Problem")}}}
            responses[status] = problem
    if needs_token:
        operation["security"] = [{"bearer": []}]
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and parameter["name"].endswith("_id"):
            parameter["schema"] = {**ID, "example": EXAMPLE_ID}
