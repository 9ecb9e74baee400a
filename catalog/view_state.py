"""A view's metadata while the updates of one commit are applied to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from catalog.errors import BadCatalogRequest
from catalog.json_places import INT32_MAX, Place
from catalog.schemas import index_schema, schema_key, without_nulls

LAST_ADDED: Final = -1
KEPT_VERSIONS: Final = "version.history.num-entries"
DEFAULT_KEPT_VERSIONS: Final = 10
DROP_ALLOWED: Final = "replace.drop-dialect-allowed"
# The end of the year 9999: engines turn milliseconds into dates.
MAX_TIMESTAMP_MS: Final = 253_402_300_799_999
# What makes two versions the same; their ids and times do not count.
_MEANING: Final = ("summary", "representations", "default-catalog", "default-namespace", "schema-id")


def read_version(place: Place) -> dict[str, Any]:
    """Return a version of a view, checked by itself; fields unknown here are kept.

    Raises
    ------
    BadCatalogRequest
        Naming the place: something is missing or of a wrong type, a dialect has two queries, or a representation is
        no SQL.
    """
    place.integer("timestamp-ms", 0, MAX_TIMESTAMP_MS)
    place.properties("summary")
    place.optional_text("default-catalog")
    place.texts("default-namespace")
    place.items("representations")
    dialects = set()
    for one in place.places("representations"):
        if one.text("type").lower() != "sql":
            raise one.fault("type", f"Found unsupported view representations: [{one.text('type')[:100]}]")
        one.text("sql")
        dialect = one.text("dialect").lower()
        if dialect in dialects:
            detail = f"Invalid view version: Cannot add multiple queries for dialect {dialect}"
            raise one.fault("dialect", detail)
        dialects.add(dialect)
    if not dialects:
        raise place.fault("representations", "Cannot create view without specifying a query")
    return {"summary": {}} | {name: without_nulls(value) for name, value in place.value.items() if value is not None}


class ViewState:
    """What stands so far. Lists are copied, what is in them is shared with the old metadata and never changed.

    Parameters
    ----------
    metadata
        From before the commit; not changed.
    now_ms
        Milliseconds since 1970, UTC.
    """

    def __init__(self, metadata: Mapping[str, Any], now_ms: int) -> None:
        self.old = metadata
        self.now_ms = now_ms
        self.uuid: str = metadata["view-uuid"]
        self.location: str = metadata["location"]
        self.properties: dict[str, str] = dict(metadata.get("properties") or {})
        self.schemas = {one["schema-id"]: one for one in metadata.get("schemas") or ()}
        self.versions = {one["version-id"]: one for one in metadata.get("versions") or ()}
        self.current_id: int | None = metadata.get("current-version-id")
        self.log: list[dict[str, Any]] = list(metadata.get("version-log") or ())
        self.added: set[int] = set()
        self.last_schema_id: int | None = None
        self._schema_ids: dict[bytes, int] | None = None
        self.last_version_id: int | None = None

    def add_schema(self, place: Place) -> None:
        """Add a schema, or find it again; its own id does not count."""
        index_schema(place.value, place.pointer)
        if self._schema_ids is None:  # all are read once for the commit, not for each update
            self._schema_ids = {schema_key(one): known for known, one in reversed(self.schemas.items())}
        key = schema_key(place.value)
        if key not in self._schema_ids:
            schema_id = max(self.schemas, default=-1) + 1
            self.schemas[schema_id] = {"type": "struct", **without_nulls(dict(place.value)), "schema-id": schema_id}
            self._schema_ids[key] = schema_id
        self.last_schema_id = self._schema_ids[key]

    def add_version(self, version: dict[str, Any], pointer: str) -> None:
        """Add a version from `read_version`, or find it again; another id is given if its own is taken."""
        if version["schema-id"] == LAST_ADDED:
            if self.last_schema_id is None:
                detail = "Cannot set last added schema: no schema has been added"
                raise BadCatalogRequest(detail, pointer=f"{pointer}/schema-id")
            version = version | {"schema-id": self.last_schema_id}
        if version["schema-id"] not in self.schemas:
            detail = f"Cannot add version with unknown schema: {version['schema-id']}"
            raise BadCatalogRequest(detail, pointer=f"{pointer}/schema-id")
        meaning = [version.get(name) for name in _MEANING]
        for known_id, known in self.versions.items():
            if [known.get(name) for name in _MEANING] == meaning:
                self.last_version_id = known_id
                return
        version_id = max([version["version-id"] - 1, *self.versions]) + 1
        if version_id > INT32_MAX:
            raise BadCatalogRequest("There is no version id left.", pointer=f"{pointer}/version-id")
        self.versions[version_id] = version | {"version-id": version_id}
        self.added.add(version_id)
        self.last_version_id = version_id

    def set_current(self, version_id: int, pointer: str) -> None:
        """Make a version the current one."""
        if version_id == LAST_ADDED:
            if self.last_version_id is None:
                detail = "Cannot set last version id: no current version id has been set"
                raise BadCatalogRequest(detail, pointer=pointer)
            version_id = self.last_version_id
        if version_id not in self.versions:
            detail = f"Cannot set current version to unknown version: {version_id}"
            raise BadCatalogRequest(detail, pointer=pointer)
        self.current_id = version_id

    def finished(self) -> dict[str, Any]:
        """Check that everything goes together and return the new metadata."""
        if self.current_id != self.old.get("current-version-id") and self.current_id is not None:
            self._check_dialects()
            version = self.versions[self.current_id]
            timestamp_ms = version["timestamp-ms"] if self.current_id in self.added else self.now_ms
            self.log.append({"timestamp-ms": timestamp_ms, "version-id": self.current_id})
        self._expire()
        new = {
            **self.old,
            "location": self.location,
            "schemas": list(self.schemas.values()),
            "current-version-id": self.current_id,
            "versions": list(self.versions.values()),
            "version-log": self.log,
            "properties": self.properties,
        }
        is_same = all(value == self.old.get(name, {} if name == "properties" else []) for name, value in new.items())
        return dict(self.old) if is_same else new

    def _check_dialects(self) -> None:
        before = self.versions.get(self.old.get("current-version-id", LAST_ADDED))
        if before is None or self.properties.get(DROP_ALLOWED, "false").lower() == "true":
            return
        old, new = _dialects(before), _dialects(self.versions[self.current_id])
        if not set(old) <= set(new):
            detail = (
                f"Cannot replace view due to loss of view dialects ({DROP_ALLOWED}=false):\n"
                f"Previous dialects: [{', '.join(old)}]\nNew dialects: [{', '.join(new)}]"
            )
            raise BadCatalogRequest(detail, pointer="/updates")

    def _expire(self) -> None:
        """Forget the oldest versions, and all history before one that was forgotten."""
        text = self.properties.get(KEPT_VERSIONS, str(DEFAULT_KEPT_VERSIONS))
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
            raise BadCatalogRequest(f"{KEPT_VERSIONS} must be positive but was {text[:50]}", pointer="/updates")
        always = {one for one in (*self.added, self.current_id) if one is not None}
        most = max(len(always), int(text))
        if len(self.versions) <= most:
            return
        newest = sorted((one for one in self.versions if one not in always), reverse=True)
        kept = always | set(newest[: most - len(always)])
        self.versions = {key: value for key, value in self.versions.items() if key in kept}
        log: list[dict[str, Any]] = []
        for entry in self.log:
            if entry["version-id"] in kept:
                log.append(entry)
            else:
                log.clear()
        self.log = log


def _dialects(version: Mapping[str, Any]) -> list[str]:
    representations: Iterable[Mapping[str, Any]] = version["representations"]
    return [one["dialect"].lower() for one in representations]
