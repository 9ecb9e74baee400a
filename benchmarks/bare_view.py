"""The limit of the design: a DRF view that does nothing but ask hnswlib, under the server the service runs on."""

from __future__ import annotations

import tempfile
from pathlib import Path
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
    ROOT_URLCONF="bare_view",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "DEFAULT_PERMISSION_CLASSES": []},
    SECRET_KEY="benchmark",  # guards nothing
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


def load() -> Any:
    vectors = np.load(Path(tempfile.gettempdir()) / "bare-view.npy")
    index = hnswlib.Index("cosine", vectors.shape[1])
    index.init_index(len(vectors), M=16, ef_construction=200)
    index.add_items(vectors)
    index.set_ef(80)  # the recall the service has at its default of 64
    return index


class Search(APIView):
    parser_classes = (Parser,)
    renderer_classes = (Renderer,)
    index: Any = None

    def post(self, request: Request) -> Response:
        vector = np.array(request.data["vector"], np.float32)
        labels, distances = Search.index.knn_query(vector, k=request.data["k"], num_threads=1)
        return Response(
            {
                "results": [
                    {"id": i, "distance": d} for i, d in zip(labels[0].tolist(), distances[0].tolist(), strict=True)
                ]
            }
        )


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}")


urlpatterns = [path("search", Search.as_view()), path("health", health)]

Search.index = load()
application = get_wsgi_application()
