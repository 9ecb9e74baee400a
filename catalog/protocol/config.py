"""The first call of every client: where to go on, and what there is."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from catalog.protocol.endpoints import ENDPOINTS
from catalog.protocol.views import ProtocolView, dump, respond
from catalog.recorded import LIFETIME, Answer
from catalog.warehouses import DEFAULT_NAME, find_warehouse


class ConfigView(ProtocolView):
    """`GET /v1/config?warehouse=`"""

    def get(self, request: Request, **names: str) -> HttpResponse:
        warehouse = find_warehouse(name=request.query_params.get("warehouse") or DEFAULT_NAME)
        body: dict[str, Any] = {
            "defaults": {},
            "overrides": {"prefix": warehouse.name},
            "endpoints": list(ENDPOINTS),
            "idempotency-key-lifetime": f"PT{LIFETIME.total_seconds() // 3600:.0f}H",
        }
        return respond(Answer(200, dump(body)))
