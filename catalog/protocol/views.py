"""What every view of the protocol has: the caller, the warehouse, the body, and keys of requests sent twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import orjson
from django.http import HttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from catalog import namespaces, recorded, relations
from catalog.callers import Caller, KeyedRequest
from catalog.errors import AnsweredMeanwhile, BadCatalogRequest
from catalog.models import Warehouse
from catalog.names import levels_of
from catalog.recorded import Answer
from catalog.warehouses import default_warehouse, find_warehouse
from lakehouse_site import logs
from lakehouse_site.access import tokens
from lakehouse_site.errors import Conflict, InvalidInput, LakehouseError, NotFound
from lakehouse_site.http import JsonParser, JsonRenderer

Name = TypeVar("Name")

JSON = "application/json"
NOTHING = Answer(204, "")
# What a request with a key is answered with again; other failures may not be final.
_FINAL = (InvalidInput, NotFound, Conflict)
_MAX_KEY_CHARACTERS = 128


class ProtocolView(APIView):
    """What a caller needs for each method; see `lakehouse_site.access.permissions`."""

    concerns_all_indexes = True
    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "HEAD": "read", "POST": "write", "DELETE": "write"}
    django_permissions: ClassVar[dict[str, str]] = {
        "read": "catalog.view_relation",
        "write": "catalog.change_relation",
        "admin": "catalog.delete_relation",
    }
    parser_classes: ClassVar[tuple[type[BaseParser], ...]] = (JsonParser,)  # type: ignore[misc]
    renderer_classes: ClassVar[tuple[type[BaseRenderer], ...]] = (JsonRenderer,)  # type: ignore[misc]
    schema = None  # the OpenAPI document of the protocol is not ours to write

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, RecursionError):
            exc = BadCatalogRequest("The body is nested too deeply.")
        return super().handle_exception(exc)

    @property
    def warehouse(self) -> Warehouse:
        prefix = self.kwargs.get("prefix")
        return default_warehouse() if prefix is None else find_warehouse(name=prefix)

    @property
    def levels(self) -> tuple[str, ...]:
        """The namespace of the address. Java's client writes a space as `+`, so a plus that nothing has means that."""
        text = checked_text(self.kwargs["namespace"])
        choices = [levels_of(text), levels_of(text.replace("+", " "))]
        return self._first_there(choices, lambda levels: namespaces.is_there(warehouse=self.warehouse, levels=levels))

    def relation_name(self, kind: str) -> str:
        """Return the name of the table or view of the address; of a plus likewise."""
        text = checked_text(self.kwargs[kind])
        levels = self.levels
        return self._first_there(
            [text, text.replace("+", " ")],
            lambda name: relations.look_up(self.warehouse, levels, name, kind, is_brief=True) is not None,
        )

    @staticmethod
    def _first_there(choices: Sequence[Name], is_there: Callable[[Name], bool]) -> Name:
        """Return the first choice if there is only one, or if none is there."""
        found = choices if choices[0] != choices[1] else choices[:0]
        return next((one for one in found if is_there(one)), choices[0])

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    def body(self) -> dict[str, Any]:
        """Return the body, which has to be a JSON object; no body is an empty one."""
        sent = self.request.data
        if not isinstance(sent, dict):
            raise BadCatalogRequest("The body must be a JSON object.")
        return sent

    def once(self, do: Callable[[Caller], Any], answer: Callable[[Any], Answer]) -> HttpResponse:
        """Answer a request that writes; one that carries a key and was answered before, as it was answered then."""
        caller = self._keyed_caller(answer)
        if caller.keyed is None:
            return respond(answer(do(caller)))
        if (earlier := recorded.find_answer(caller=caller)) is not None:
            return respond(earlier)
        try:
            found = answer(do(caller))
        except AnsweredMeanwhile:
            return respond(recorded.find_answer(caller=caller) or NOTHING)
        except _FINAL as error:
            # The failure may be of the same request, sent again while the first was under way.
            if (earlier := recorded.find_answer(caller=caller)) is not None:
                return respond(earlier)
            self._keep_failure(caller, error)
            raise
        if recorded.find_answer(caller=caller) is None:  # nothing was written that it could be stored with
            recorded.keep_answer(caller=caller, status=found.status, body=found.body)
        return respond(found)

    def _keep_failure(self, caller: Caller, error: LakehouseError) -> None:
        response = self.handle_exception(error)
        recorded.keep_answer(caller=caller, status=response.status_code, body=response.content.decode())

    def _keyed_caller(self, answer: Callable[[Any], Answer]) -> Caller:
        key = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        caller = self.caller
        if key is None:
            return caller
        if not 1 <= len(key) <= _MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable():
            raise BadCatalogRequest(f"Invalid Idempotency-Key: send 1 to {_MAX_KEY_CHARACTERS} printable characters.")
        _ = self.request.data  # reads the body
        path = self.request.get_full_path().encode()
        sent = b"\x00".join((str(self.request.method).encode(), path, bytes(getattr(self.request, "raw_body", b""))))

        def stored(result: Any) -> tuple[int, str]:
            found = answer(result)
            return found.status, found.body

        keyed = KeyedRequest(key, hashlib.sha256(sent).hexdigest(), stored)
        return Caller(caller.principal, caller.request_id, caller.is_admin, keyed)


def caller_of(request: Request) -> Caller:
    """Return on whose behalf a request is made. Without a token layer everybody may do everything."""
    request_id = logs.request_id.get()
    held = request.auth
    if isinstance(held, tokens.Caller):
        return Caller(held.name, request_id, held.may(tokens.ADMIN))
    if request.user.is_authenticated:
        return Caller(request.user.get_username(), request_id, is_admin=True)
    return Caller("anonymous", request_id, is_admin=True)


def respond(answer: Answer, headers: Mapping[str, str] | None = None) -> HttpResponse:
    kind = JSON if answer.status < 400 else "application/problem+json"
    tag = {"ETag": answer.etag} if answer.etag else {}
    response = HttpResponse(answer.body, status=answer.status, content_type=kind, headers={**tag, **(headers or {})})
    if answer.status == 204:
        del response.headers["Content-Type"]
    return response


def dump(value: Any) -> str:
    return orjson.dumps(value).decode()


def checked_text(text: str) -> str:
    """Return a name of an address as it is; names with control characters there are none of, and no need to look."""
    if any((character < " " and character != "\x1f") or character == "\x7f" for character in text):
        raise BadCatalogRequest("Invalid name in the address: it has control characters.")
    return text
