"""What every app's part of the OpenAPI document is made of: shapes of JSON, and the description of one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from lakehouse_site.pagination import DEFAULT_PAGE, MAX_PAGE

Schema = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
STRING: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
UUID: Schema = {"type": "string", "format": "uuid"}
FREE: Schema = {"type": "object", "additionalProperties": True}
COUNTS: Schema = {"type": "object", "additionalProperties": INTEGER}

JSON = "application/json"


def or_null(schema: Schema) -> Schema:
    """Return the shape of a value that may be null; a list of words has to name it."""
    words = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **words, "nullable": True}


def shape(properties: Mapping[str, Schema], required: Sequence[str] | None = None) -> Schema:
    """Return the shape of an object; all of its fields are required unless told which."""
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties)} | ({"required": needed} if needed else {})


def closed(schema: Schema) -> Schema:
    """Return the shape of an object in which a field that is not known is refused."""
    return {**schema, "additionalProperties": False}


def body_of(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """Return the shape of a body that `vectors.fields.Fields` reads: null is absent, nothing unknown may stand."""
    fields = {name: one if name in required else or_null(one) for name, one in properties.items()}
    return closed(shape(fields, required))


def list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def words(choices: Sequence[str], default: str | None = None) -> Schema:
    found: Schema = {"type": "string", "enum": list(choices)}
    return found if default is None else {**found, "default": default}


def within(low: int, high: int, default: int | None = None) -> Schema:
    limits: Schema = {"type": "integer", "minimum": low, "maximum": high}
    return limits if default is None else {**limits, "default": default}


def page_of(item: Schema) -> Schema:
    """Return the shape of a page by ``?limit`` and ``?offset``."""
    link: Schema = {"type": "string", "format": "uri", "nullable": True}
    return shape({"count": INTEGER, "next": link, "previous": link, "results": list_of(item)})


def query(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


PAGES = [
    query("limit", within(1, MAX_PAGE, DEFAULT_PAGE), "Entries a page."),
    query("offset", {"type": "integer", "minimum": 0, "default": 0}, "Entries to pass over."),
]
"""The parameters of a list by ``?limit`` and ``?offset``."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is said of one call.

    Attributes
    ----------
    summary
        One line.
    answer
        The shape of what comes back; None where nothing does.
    body
        The shape of what is sent as JSON; None where nothing is.
    status
        Of success.
    parameters
        Of the query.
    example
        A body that works; the browsable API begins its form with it.
    other_bodies
        Shapes of bodies that are not JSON, by media type.
    other_status
        Another status of success, with the same answer.
    """

    summary: str
    answer: Schema | None
    body: Schema | None = None
    status: int = 200
    parameters: Sequence[OpenApiParameter] = ()
    example: Any = None
    other_bodies: Mapping[str, Schema] = field(default_factory=dict)
    other_status: int | None = None


def describes(operation: str, call: Call, tag: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method, and the example for the browsable API."""
    done = OpenApiResponse(call.answer, "Done.")
    statuses = [status for status in (call.status, call.other_status) if status]
    extend = extend_schema(
        operation_id=operation,
        summary=call.summary,
        tags=[tag],
        parameters=list(call.parameters),
        request=None if call.body is None else {JSON: call.body, **call.other_bodies},
        responses={(status, JSON) if call.answer else status: done for status in statuses},
        examples=[]
        if call.example is None
        else [OpenApiExample("Example", call.example, request_only=True, media_type=JSON)],
    )

    def attach(method: Method) -> Method:
        described: Method = extend(method)
        described.example_body = call.example  # type: ignore[attr-defined]
        return described

    return attach
