"""The limit of the design: a DRF view that does nothing but ask hnswlib, under the server the service runs on."""

from __future__ import annotations

import os
from typing import Any

import django
import hnswlib
import numpy as np
import orjson
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "DEFAULT_PERMISSION_CLASSES": []},
    SECRET_KEY="benchmark",  # guards nothing
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)
django.setup()

# DRF reads its settings when it is imported.
from rest_framework.parsers import BaseParser  # noqa: E402
from rest_framework.renderers import BaseRenderer  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Parser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return orjson.loads(stream.read())


class Renderer(BaseRenderer):
    media_type = "application/json"
    format = "json"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return orjson.dumps(data)


class Held:
    """The one index, and the ids of its rows."""

    index: Any = None
    keys: list[str] = []  # noqa: RUF012


class Search(APIView):
    parser_classes = (Parser,)
    renderer_classes = (Renderer,)

    def post(self, request: Request) -> Response:
        body: Any = request.data
        vector = np.array(body["vector"], np.float32)
        labels, distances = Held.index.knn_query(vector, k=body["k"], num_threads=1)
        pairs = zip(labels[0].tolist(), distances[0].tolist(), strict=True)
        return Response({"results": [{"id": Held.keys[i], "distance": d} for i, d in pairs]})


def load(vectors: Any, keys: list[str]) -> None:
    index = hnswlib.Index("cosine", vectors.shape[1])
    index.init_index(len(vectors), M=16, ef_construction=200)
    index.add_items(vectors)
    index.set_ef(80)  # the recall the service has at its default of 64
    Held.index, Held.keys = index, keys


def load_view(request: HttpRequest) -> HttpResponse:
    body = orjson.loads(request.body)
    load(np.load(body["path"]), body["keys"])
    return HttpResponse(b"{}")


def tune_view(request: HttpRequest) -> HttpResponse:
    Held.index.set_ef(orjson.loads(request.body)["ef"])
    return HttpResponse(b"{}")


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}")


urlpatterns = [
    path("search", Search.as_view()),
    path("load", load_view),
    path("tune", tune_view),
    path("health", health),
]

if "BARE_VIEW_VECTORS" in os.environ:
    _rows = np.load(os.environ["BARE_VIEW_VECTORS"])
    load(_rows, [str(i) for i in range(len(_rows))])
application = get_wsgi_application()
