"""The HTTP face of ingest: read the file and the fields beside it, call the service, shape the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import orjson
from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import QueryDict
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.data_openapi import describes
from catalog.ingest import ingest_file, ingest_object
from catalog.ingest_requests import FIELDS, IMPORT_FOLDER, object_key, parse_request
from catalog.protocol.views import caller_of
from catalog.scratch import scratch_folder
from lakehouse_site.errors import InvalidInput, TooLarge

_FLAGS = ("header", "evolve", "dry_run")


class DataView(APIView):
    """What a caller needs for each method; see `lakehouse_site.access.permissions`, and grants of namespaces."""

    concerns_all_indexes = True
    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "POST": "write"}
    django_permissions: ClassVar[dict[str, str]] = {
        "read": "catalog.view_relation",
        "write": "catalog.change_relation",
        "admin": "catalog.delete_relation",
    }


class UploadParser(MultiPartParser):
    """A form with a file; the whole within the limit of bodies."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        meta: Mapping[str, Any] = parser_context["request"].META if parser_context else {}
        most = settings.LAKEHOUSE_MAX_BODY_BYTES
        if "HTTP_TRANSFER_ENCODING" not in meta and int(meta.get("CONTENT_LENGTH") or 0) > most:
            raise TooLarge(
                f"The form is over {most} bytes. Put the file into the storage, below {IMPORT_FOLDER}, and give its "
                "key as `object`; or raise LAKEHOUSE_MAX_BODY_BYTES."
            )
        return super().parse(stream, media_type, parser_context)


class IngestView(DataView):
    """A file becomes rows of a table. The same file is not taken twice."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [*APIView.parser_classes, UploadParser]  # type: ignore[misc]

    @describes("ingest")
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        upload = request.FILES.get("file")
        if upload is None:
            sent: Any = request.data
            body = _form(sent) if isinstance(sent, QueryDict) else sent
            key = object_key(body)
            wanted = parse_request(body, file_name=key)
            result = ingest_object(key=key, request=wanted, caller=caller)
        else:
            name = upload.name or "file"
            wanted = parse_request(_form(request.data), file_name=name)
            with scratch_folder() as folder:
                result = ingest_file(path=_on_disk(upload, folder), source_name=name, request=wanted, caller=caller)
        return Response(asdict(result), status=200 if wanted.is_dry_run else 201)


def _on_disk(upload: UploadedFile[Any], folder: Path) -> Path:
    """Return where a form's file lies; one that was small enough for memory is written into `folder`."""
    if isinstance(upload, TemporaryUploadedFile):
        return Path(upload.temporary_file_path())
    path = folder / "upload"
    path.write_bytes(upload.read())
    return path


def _form(data: Any) -> dict[str, Any]:
    """Return the fields of a form as a JSON body would have them."""
    body: dict[str, Any] = {name: data[name] for name in data if name != "file"}
    for name in _FLAGS:
        if body.get(name) in ("true", "false"):
            body[name] = body[name] == "true"
    if isinstance(body.get("types"), str):
        try:
            body["types"] = orjson.loads(body["types"])
        except orjson.JSONDecodeError as error:
            raise InvalidInput.at("/types", "type", f'Expected JSON, as in {{"zip": "string"}}: {error}.') from None
    unknown = [name for name in body if name not in FIELDS]
    if unknown:
        raise InvalidInput.at(f"/{unknown[0]}", "unknown_field", f"There is no such field. Known: {', '.join(FIELDS)}.")
    return body
