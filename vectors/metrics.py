"""What the index service counts, for `/metrics`. Numbers are those of this process since its start."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SNAPSHOTS = Counter("lakehouse_vectors_snapshots", "Snapshots, by how they ended.", ["outcome"])
GRAPH_LOADS = Counter(
    "lakehouse_vectors_graph_loads",
    "Indexes brought into memory, from a snapshot (and newer rows) or from rows alone.",
    ["source"],
)
STORAGE_FAILURES = Counter(
    "lakehouse_vectors_storage_failures", "Times the object storage failed or gave back something wrong.", ["action"]
)
PURGED_TOMBSTONES = Counter("lakehouse_vectors_purged_tombstones", "Tombstones removed from the database.")
DELETED_OBJECTS = Counter("lakehouse_vectors_deleted_objects", "Objects removed because nothing points to them.")
MAINTENANCE_ROUNDS = Counter("lakehouse_vectors_maintenance_rounds", "Rounds of maintenance, by outcome.", ["outcome"])
MEMORY_BYTES = Gauge("lakehouse_vectors_memory_bytes", "Memory the indexes of this process hold.")
LOADED_INDEXES = Gauge("lakehouse_vectors_loaded_indexes", "Indexes this process holds in memory.")

for _outcome in ("published", "failed"):
    SNAPSHOTS.labels(_outcome)
for _source in ("snapshot", "rows"):
    GRAPH_LOADS.labels(_source)
for _action in ("publish", "load", "delete"):
    STORAGE_FAILURES.labels(_action)
for _outcome in ("done", "failed"):
    MAINTENANCE_ROUNDS.labels(_outcome)
