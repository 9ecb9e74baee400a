"""How drf-spectacular describes our authentication, and what it adds to the whole document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from lakehouse_site.openapi_shapes import STRING, list_of, shape
from lakehouse_site.problems import CONTENT_TYPE

PATH_EXAMPLES = {
    "alert_id": "6b1f1d0e-5a83-4c53-8b5c-0d5a4b8f4c11",
    "eval_set": "holdout",
    "export_id": "9f2c4a7d1e0b",
    "file_name": "train.jsonl",
    "freeze_id": "1",
    "line_id": "1",
    "monitor_id": "2f6f7a53-3f1f-4a94-a7c1-6a9d3c0c2b7e",
    "name": "notes",
    "notice_id": "0c0e3f3a-90a7-4a5e-9d59-6a2d6b7d8e90",
    "run_id": "example-1",
    "table": "shop.orders",
}
"""What stands for a parameter of a path in the examples, by its name."""

_PROBLEM = shape(
    {
        **dict.fromkeys(("type", "title", "detail", "code", "request_id"), STRING),
        "status": {"type": "integer"},
        "errors": list_of(shape(dict.fromkeys(("pointer", "code", "detail"), STRING))),
    },
    ["type", "title", "detail", "code", "request_id", "status"],
)
_PROBLEM_CONTENT = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_PROBLEMS = {
    "4XX": {"description": "A problem: what is wrong and what to do.", "content": _PROBLEM_CONTENT},
    "5XX": {"description": "Something failed here, or is away for a moment.", "content": _PROBLEM_CONTENT},
}

_OTHER_PROTOCOLS = ("/iceberg/",)
"""These have a specification of their own, which is not ours to repeat."""


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "lakehouse_site.access.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "lakehouse_site.access.authentication.StaffSessionAuthentication"
    name = "staff session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


def without_other_protocols(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Leave out what is described elsewhere; a hook of drf-spectacular."""
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith(_OTHER_PROTOCOLS)]


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Give every call the one shape of errors, and its path an example; a hook of drf-spectacular."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
    for operation in (operation for path in result["paths"].values() for operation in path.values()):
        operation["responses"] |= _PROBLEMS
        body = operation.get("requestBody")
        if body and any("required" in content["schema"] for content in body["content"].values()):
            body["required"] = True
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] in PATH_EXAMPLES:
                parameter.setdefault("example", PATH_EXAMPLES[parameter["name"]])
    return result
