"""Errors a caller can act on; they know nothing of HTTP (`problems.py` maps each class to a status).

::

    LakehouseError
    ├── InvalidInput            what was sent is wrong; `faults` names every place
    ├── TooLarge                a body or a batch over its limit
    ├── NotFound
    │   ├── IndexNotFound
    │   └── ItemNotFound
    ├── Conflict
    │   ├── IndexExists
    │   └── MergeConflict
    ├── DamagedFile             a file is not what it says it is
    ├── StorageFailed           the object storage did not do what was asked
    └── Unavailable             try again after `retry_after_seconds`
        └── DatabaseUnavailable
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input.

    Attributes
    ----------
    pointer
        RFC 6901 JSON pointer to the place, ``""`` for the whole body.
    code
        Stable word a program can match on.
    detail
        What is wrong there and what would be right.
    """

    pointer: str
    code: str
    detail: str


class LakehouseError(Exception):
    """Base of every error of this project that a caller can act on."""

    code = "error"
    title = "Error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInput(LakehouseError):
    """The input breaks a rule; nothing was changed."""

    code = "invalid_input"
    title = "The input is not valid"

    def __init__(self, faults: Sequence[Fault], detail: str | None = None) -> None:
        self.faults = tuple(faults)
        super().__init__(detail or self._summary())

    def _summary(self) -> str:
        if not self.faults:
            return self.title
        first = self.faults[0]
        place = f"{first.pointer}: " if first.pointer else ""
        more = f" (and {len(self.faults) - 1} more, see errors)" if len(self.faults) > 1 else ""
        return f"{place}{first.detail}{more}"

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> InvalidInput:
        """Return the error for a single fault."""
        return cls([Fault(pointer, code, detail)])


class TooLarge(LakehouseError):
    """A body or a batch is over its limit."""

    code = "too_large"
    title = "Too large"


class NotFound(LakehouseError):
    """What was asked for is not there."""

    code = "not_found"
    title = "Not found"


class IndexNotFound(NotFound):
    """No index has this name."""

    code = "index_not_found"
    title = "No such index"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no index named {name!r}. GET /v1/vectors/index lists them.")
        self.name = name


class ItemNotFound(NotFound):
    """The index has no item with this id."""

    code = "item_not_found"
    title = "No such item"

    def __init__(self, name: str, key: str) -> None:
        super().__init__(f"The index {name!r} has no item with the id {key!r}.")
        self.name = name
        self.key = key


class Conflict(LakehouseError):
    """The state of things does not allow this call."""

    code = "conflict"
    title = "Conflict"


class IndexExists(Conflict):
    """The name is taken."""

    code = "index_exists"
    title = "The index exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"An index named {name!r} exists. Choose another name or delete that index first.")
        self.name = name


class MergeConflict(Conflict):
    """Items of the source exist in the destination and the caller asked to be told."""

    code = "merge_conflict"
    title = "Items exist in the destination"

    def __init__(self, destination: str, keys: Sequence[str]) -> None:
        shown = ", ".join(repr(key) for key in keys[:10])
        super().__init__(
            f"{destination!r} already has items of the source, among them {shown}. "
            "Use on_conflict 'skip' or 'overwrite' to merge all the same."
        )
        self.destination = destination
        self.keys = tuple(keys)


class Unavailable(LakehouseError):
    """It cannot be done now; trying again later may work."""

    code = "unavailable"
    title = "Not available now"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class DatabaseUnavailable(Unavailable):
    """The database did not answer, or was busy for too long."""

    code = "database_unavailable"
    title = "The database is not available"


class DamagedFile(LakehouseError):
    """A file breaks its format, or its bytes are not those its checksums were made of."""

    code = "damaged_file"
    title = "The file is damaged"


class StorageFailed(LakehouseError):
    """The object storage refused, failed, did not answer, or gave back something else than was written."""

    code = "storage_failed"
    title = "The object storage failed"
