"""JSON in and out: the parser, the renderer, and how the two are chosen."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import LimitedStream
from django.http import HttpRequest
from rest_framework.exceptions import NotAcceptable, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from lakehouse_site.errors import InvalidInput, TooLarge
from lakehouse_site.in_flight import give_way
from lakehouse_site.json_faults import json_faults

_PIECE_BYTES = 16 * 1024 * 1024
# What is still read of a body over the limit, so that the sender, who sends before it listens, receives the answer.
_DRAIN_FACTOR = 16
_DRAIN_SECONDS = 30.0
_DISCARD_BYTES = 64 * 1024
_SLICE_BYTES = 64 * 1024
_ITEMS_BEGIN = re.compile(rb'\s*\{\s*"items"\s*:\s*\[')
_ITEMS_END = re.compile(rb"\]\s*\}\s*\Z")
_ITEMS_END_BYTES = 64
_BETWEEN_OBJECTS = re.compile(rb"\}\s*,\s*\{")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class JsonRenderer(BaseRenderer):
    """orjson; numpy arrays and `orjson.Fragment` go through as they are."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is None:
            return b""
        options = orjson.OPT_SERIALIZE_NUMPY
        if renderer_context and renderer_context.get("indent"):  # set by the browsable API
            options |= orjson.OPT_INDENT_2
        return orjson.dumps(data, option=options)


_LONG_NUMBER = re.compile(rb"\d{19}")


class JsonParser(BaseParser):
    """orjson, with the body limited and every non-finite number named."""

    media_type = "application/json"
    renderer_class = JsonRenderer

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        body = _read_plain_body(stream, media_type, parser_context)
        if parser_context:
            parser_context["request"].raw_body = body
        try:
            return loads(body)
        except orjson.JSONDecodeError as error:
            reason = str(error)
        # Outside the except clause: the error holds the whole body in its `doc`.
        raise InvalidInput(json_faults(bytes(body), reason))


@dataclass(frozen=True, slots=True)
class BinaryBody:
    """A body that is not JSON, as it came."""

    content: bytes


class BinaryParser(BaseParser):
    """Reads a body within the limit and leaves it alone; subclasses name their media type."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return BinaryBody(bytes(_read_plain_body(stream, media_type, parser_context)))


def _read_plain_body(
    stream: Any, media_type: str | None, parser_context: Mapping[str, Any] | None
) -> bytes | bytearray:
    meta: Mapping[str, Any] = parser_context["request"].META if parser_context else {}
    encoding = meta.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(media_type or "", f"A body with Content-Encoding {encoding!r} is not read.")
    return read_body(stream, meta, settings.LAKEHOUSE_MAX_BODY_BYTES)


def body_with_exact_integers(request: Request) -> Any:
    """Parse the body of a request again, slowly: orjson turns integers beyond 64 bits into floats, this does not.

    Raises
    ------
    InvalidInput
        It is nested too deeply for the standard library.
    """
    try:
        return json.loads(request.raw_body)  # type: ignore[attr-defined]
    except RecursionError as error:
        raise InvalidInput.at("", "too_deep", "The body is nested too deeply.") from error


def has_long_number(request: Request) -> bool:
    """Return whether the body may hold an integer beyond 64 bits."""
    return _LONG_NUMBER.search(getattr(request, "raw_body", b"")) is not None


class ContentNegotiation(DefaultContentNegotiation):
    """HTML for browsers, else JSON: an Accept header that asks for neither is no reason to refuse."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderers = list(renderers)
        first = renderers[0]
        if request.META.get("HTTP_ACCEPT", "*/*") in ("*/*", first.media_type) and format_suffix is None:
            return first, str(first.media_type)  # nearly every call; the parsing below costs 20 µs
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            return first, str(first.media_type)
        return chosen


def loads(body: bytes | bytearray) -> Any:
    """Parse JSON; a long ``{"items": […]}`` slice by slice, so that other threads get their turn in between.

    orjson holds the interpreter lock while it parses, which takes 26 ms for 1,000 vectors of 384 numbers; every search
    that runs beside such a call would wait for it. Cutting between two objects is safe without understanding the text:
    if each slice is valid as an array, their concatenation is, and JSON has only one reading. If not, the cut was
    inside a string or a nested array, and the body is parsed as a whole.

    Raises
    ------
    orjson.JSONDecodeError
        It is not JSON.
    """
    if len(body) <= 2 * _SLICE_BYTES:
        return orjson.loads(body)
    head, tail = _ITEMS_BEGIN.match(body), _ITEMS_END.search(body, len(body) - _ITEMS_END_BYTES)
    if head is None or tail is None:
        return orjson.loads(body)
    items: list[Any] = []
    start = head.end()
    try:
        while cut := _BETWEEN_OBJECTS.search(body, start + _SLICE_BYTES, tail.start()):
            items += orjson.loads(b"[" + body[start : cut.start() + 1] + b"]")
            start = cut.end() - 1
            give_way()
        items += orjson.loads(b"[" + body[start : tail.start()] + b"]")
    except orjson.JSONDecodeError:
        return orjson.loads(body)
    return {"items": items}


def read_body(stream: Readable, meta: Mapping[str, Any], limit: int) -> bytes | bytearray:
    """Read a request body of at most ``limit`` bytes, or raise TooLarge."""
    chunked = "HTTP_TRANSFER_ENCODING" in meta
    declared = limit + 1 if chunked else int(meta.get("CONTENT_LENGTH") or 0)
    if declared > limit and not chunked:
        _drain(stream, meta, limit)
        raise _too_large(limit)
    body: bytes | bytearray = stream.read(min(declared, _PIECE_BYTES))
    if len(body) < declared:
        body = bytearray(body)
        while piece := stream.read(min(declared - len(body), _PIECE_BYTES)):
            body += piece
    if len(body) > limit:
        _drain(meta["wsgi.input"], meta, limit)
        raise _too_large(limit)
    if len(body) < declared and not chunked:
        raise BadRequest(f"The body ended after {len(body)} of the {declared} bytes that Content-Length announced.")
    return body


def admit_chunked(request: HttpRequest) -> None:
    """Let a body without Content-Length be read; Django and DRF take it for empty.

    Raises
    ------
    BadRequest
        The server does not mark the end of such a body, so reading it could wait for ever.
    """
    meta = request.META
    if not meta.get("wsgi.input_terminated"):
        raise BadRequest("This server does not read chunked bodies. Send a Content-Length.")
    most = settings.LAKEHOUSE_MAX_BODY_BYTES + 1
    meta["CONTENT_LENGTH"] = str(most)  # DRF skips the body when this is missing; `read_body` knows better
    request._stream = LimitedStream(meta["wsgi.input"], most)  # type: ignore[assignment]


def discard_small_body(request: HttpRequest) -> None:
    """Read away a body that no view has read, if it is small: granian closes a connection that has one left.

    The next call on it would fail, and a client that still sends would see a broken pipe in the place of its answer.
    """
    meta = request.META
    if request._read_started or meta.get("HTTP_EXPECT"):  # type: ignore[attr-defined]
        return
    if "HTTP_TRANSFER_ENCODING" in meta:
        if meta.get("wsgi.input_terminated"):
            meta["wsgi.input"].read(_DISCARD_BYTES)
    elif meta.get("CONTENT_LENGTH", "").isdecimal() and int(meta["CONTENT_LENGTH"]) <= _DISCARD_BYTES:
        request.read()


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is over {limit} bytes. Send smaller batches, or raise LAKEHOUSE_MAX_BODY_BYTES.")


def _drain(stream: Readable, meta: Mapping[str, Any], limit: int) -> None:
    if meta.get("HTTP_EXPECT", "").lower() == "100-continue":
        return  # the sender waits for our word before it sends
    remaining, deadline = _DRAIN_FACTOR * limit, time.monotonic() + _DRAIN_SECONDS
    while remaining > 0 and time.monotonic() < deadline:
        piece = stream.read(min(remaining, 1024 * 1024))
        if not piece:
            return
        remaining -= len(piece)
