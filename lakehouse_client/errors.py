"""What a call can raise; match by class, never by message.

::

    LakehouseClientError
    ├── BadArgument             (also a ValueError) what was passed cannot be sent; nothing was sent
    ├── ConnectionLost          no whole answer came
    │   └── TimedOut            not within `timeout_seconds`
    ├── UnexpectedAnswer        an answer came, but not one of a Lakehouse
    └── ProblemError            the server refused or failed; also raised itself, for a status not named below
        ├── InvalidInput        400, `errors` names every place
        ├── Unauthorized        401
        ├── Forbidden           403
        ├── NotFound            404
        ├── Conflict            409
        ├── TooLarge            413
        ├── Throttled           429
        ├── Unavailable         503
        └── ServerError         any other 5xx
"""

from __future__ import annotations

from dataclasses import dataclass

SHOWN_FAULTS = 5


class LakehouseClientError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    tries
        How often the call was sent, or tried to be.
    maybe_done
        Whether the server may have carried the call out all the same, by this try or one before it.
    items_done
        For calls that send batches: how many of the items, from the first on, earlier batches have settled.
    """

    tries: int = 0
    maybe_done: bool = False
    items_done: int = 0


class BadArgument(LakehouseClientError, ValueError):
    """What was passed cannot be sent; of this batch nothing was."""


class ConnectionLost(LakehouseClientError):
    """The connection could not be made, or ended before the answer did."""

    def __str__(self) -> str:
        return f"{super().__str__()}{f' Tried {self.tries} times.' if self.tries > 1 else ''}"


class TimedOut(ConnectionLost):
    """The server was silent for `timeout_seconds`. Not sent again by itself: the server may still be at work on it."""


class UnexpectedAnswer(LakehouseClientError):
    """What answered is not a Lakehouse, or speaks another version of the API."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what was sent.

    Attributes
    ----------
    pointer
        JSON pointer to the place, ``""`` for the whole body. In calls that send batches, positions count from the
        first item that was passed, not from the first of the batch.
    code
        Stable word a program can match on.
    detail
        What is wrong there and what would be right.
    """

    pointer: str
    code: str
    detail: str


class ProblemError(LakehouseClientError):
    """The server answered with a status of 400 or more.

    Attributes
    ----------
    status
        The HTTP status.
    code
        Stable word a program can match on, for example ``index_not_found``.
    title, detail
        What happened, in short, and with the place and the remedy.
    request_id
        Finds the call in the server's log.
    errors
        The faults of what was sent; empty for anything but invalid input.
    retry_after_seconds
        What the server asked to wait; None when it did not.
    call
        Method and path.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        request_id: str = "",
        errors: tuple[Fault, ...] = (),
        retry_after_seconds: float | None = None,
        call: str = "",
    ) -> None:
        # All of them in `args`, so that the error survives being pickled on its way out of a worker process.
        super().__init__(status, code, title, detail, request_id, errors, retry_after_seconds, call)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.request_id = request_id
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        self.call = call

    def __str__(self) -> str:
        lines = [f"{self.call + ': ' if self.call else ''}{self.status} {self.code}: {self.detail}"]
        if len(self.errors) > 1:
            lines += [f"  {fault.pointer or '(body)'}: {fault.detail}" for fault in self.errors[:SHOWN_FAULTS]]
            if len(self.errors) > SHOWN_FAULTS:
                lines.append(f"  and {len(self.errors) - SHOWN_FAULTS} more, see `errors`")
        if self.request_id:
            lines[0] += f" [request {self.request_id}]"
        return "\n".join(lines)


class InvalidInput(ProblemError):
    """400: what was sent breaks a rule; of this batch nothing was stored."""


class Unauthorized(ProblemError):
    """401: the token is missing or not valid."""


class Forbidden(ProblemError):
    """403: the token's scope or index pattern, or the address, does not allow it."""


class NotFound(ProblemError):
    """404: no such index, item or path."""


class Conflict(ProblemError):
    """409: the name is taken, or ``on_conflict="error"`` found an item."""


class TooLarge(ProblemError):
    """413: a body or batch is over the server's limit; pass smaller `batch_items` or `batch_bytes`."""


class Throttled(ProblemError):
    """429: over the rate that the server allows."""


class Unavailable(ProblemError):
    """503: not now; the server may be able to later."""


class ServerError(ProblemError):
    """5xx: a fault of the server, in its log under `request_id`."""


_CLASSES: dict[int, type[ProblemError]] = {
    400: InvalidInput,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: Throttled,
    503: Unavailable,
}


def problem_class(status: int) -> type[ProblemError]:
    """Return the class for an HTTP status of 400 or more."""
    return _CLASSES.get(status, ServerError if status >= 500 else ProblemError)
