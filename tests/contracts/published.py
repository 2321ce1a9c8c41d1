"""The published schema of the status document, as a client finds it in the service's own description."""

import json
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

ADDRESS = "/api/v1/openapi.json"


def errors(client: httpx.Client, body: bytes) -> list[str]:
    """What the bytes of a status answer break of the schema that the service publishes."""
    return broken(_validator(str(client.base_url)), body)


def broken(validator: jsonschema_rs.Draft202012Validator, body: bytes) -> list[str]:
    """The places and sentences of what does not fit."""
    found = validator.iter_errors(json.loads(body))
    return [f"{'/'.join(map(str, one.instance_path))}: {one.message}" for one in found]


def validator_of(description: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """The validator of the status document in an OpenAPI description."""
    schema = {"$ref": "#/components/schemas/StatusDocument", "components": description["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@cache
def _validator(base_url: str) -> jsonschema_rs.Draft202012Validator:
    return validator_of(httpx.get(base_url.rstrip("/") + ADDRESS).json())
