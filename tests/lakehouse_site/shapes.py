"""What every error answer must look like."""

from __future__ import annotations

import json
from typing import Any


def assert_problem(response: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """Check the RFC 9457 shape of an answer of Django's test client or httpx; return the body."""
    assert response.status_code == status, response.content[:500]
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "code", "request_id"}
    assert body["status"] == status
    assert body["type"] == f"urn:lakehouse:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert all(set(error) == {"pointer", "code", "detail"} for error in body.get("errors", []))
    if code is not None:
        assert body["code"] == code
    return body
