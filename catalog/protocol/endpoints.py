"""What works, as `config` tells it; clients do not call what is not listed. The routes are held to it by a test."""

from __future__ import annotations

from typing import Final

_NAMESPACE = "/v1/{prefix}/namespaces/{namespace}"

ENDPOINTS: Final = (
    "GET /v1/{prefix}/namespaces",
    "POST /v1/{prefix}/namespaces",
    f"GET {_NAMESPACE}",
    f"HEAD {_NAMESPACE}",
    f"DELETE {_NAMESPACE}",
    f"POST {_NAMESPACE}/properties",
    f"GET {_NAMESPACE}/tables",
    f"POST {_NAMESPACE}/tables",
    f"GET {_NAMESPACE}/tables/{{table}}",
    f"HEAD {_NAMESPACE}/tables/{{table}}",
    f"POST {_NAMESPACE}/tables/{{table}}",
    f"DELETE {_NAMESPACE}/tables/{{table}}",
    f"GET {_NAMESPACE}/tables/{{table}}/credentials",
    f"POST {_NAMESPACE}/tables/{{table}}/metrics",
    f"POST {_NAMESPACE}/tables/{{table}}/unregister",
    f"POST {_NAMESPACE}/register",
    "POST /v1/{prefix}/tables/rename",
    "POST /v1/{prefix}/transactions/commit",
    f"GET {_NAMESPACE}/views",
    f"POST {_NAMESPACE}/views",
    f"GET {_NAMESPACE}/views/{{view}}",
    f"HEAD {_NAMESPACE}/views/{{view}}",
    f"POST {_NAMESPACE}/views/{{view}}",
    f"DELETE {_NAMESPACE}/views/{{view}}",
    f"POST {_NAMESPACE}/register-view",
    "POST /v1/{prefix}/views/rename",
)
