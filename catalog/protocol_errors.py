"""Problems as clients of the Iceberg protocol read them (pure).

Every answer of 4xx and 5xx under ``/iceberg`` is one of `lakehouse_site.problems` first, whatever part of the site has
made it; here it gets the protocol's shape.
"""

from __future__ import annotations

from typing import Any, Final

from catalog import errors
from lakehouse_site.errors import LakehouseError

PREFIX: Final = "/iceberg"

# By the stable code of the problem; then by its status.
_BY_CODE: Final[dict[str, str]] = {
    found.code: found.exception
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, LakehouseError) and hasattr(found, "exception")
}
_BY_STATUS: Final = {
    400: "BadRequestException",
    401: "NotAuthorizedException",
    403: "ForbiddenException",
    404: "NotFoundException",
    405: "UnsupportedOperationException",
    406: "UnsupportedOperationException",
    408: "RequestTimeoutException",
    409: "CommitFailedException",
    413: "RequestTooLargeException",
    415: "UnsupportedMediaTypeException",
    422: "UnprocessableEntityException",
    429: "TooManyRequestsException",
    500: "InternalServerError",
    503: "ServiceUnavailableException",
}


def protocol_error(problem: dict[str, Any]) -> dict[str, Any]:
    """Return the body that the protocol has for a problem.

    Parameters
    ----------
    problem
        A body of `lakehouse_site.problems`: at least `status`, `code` and `detail`.

    Returns
    -------
    dict
        ``{"error": {"message", "type", "code"}}``; the code is the HTTP status.
    """
    status = int(problem["status"])
    name = _BY_CODE.get(problem["code"]) or _BY_STATUS.get(status) or "RESTException"
    return {"error": {"message": problem["detail"], "type": name, "code": status}}


def is_protocol_path(path: str) -> bool:
    """Return whether a path is the protocol's."""
    return path == PREFIX or path.startswith(PREFIX + "/")
