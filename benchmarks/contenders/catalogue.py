"""Who takes part, without importing any of them: each runs in a process, and perhaps an environment, of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from benchmarks.contenders.adapter import Adapter

Ability: TypeAlias = Literal["search", "add", "batched", "filtered", "mixed"]
EVERYTHING: frozenset[Ability] = frozenset({"search", "add", "batched", "filtered", "mixed"})


@dataclass(frozen=True, slots=True)
class Served:
    """A contender that is up: what its adapters must know, the process to watch, the folder that holds its data."""

    config: dict[str, Any]
    pid: int | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """
    Attributes
    ----------
    module
        In this package: it has ``serve`` for the run and ``make`` for the workers.
    packages
        What pip installs for its worker or its server, each contender in an environment of its own.
    is_embedded
        It lives in its caller's process: several clients are then threads there, not processes.
    tunes_anew
        The effort is settled when a collection is made: to change it is to load the data again.
    shares
        The contender whose server and whose data this one asks, in another way.
    efforts
        To try in this order, until the recall is what it must be.
    """

    name: str
    title: str
    module: str
    packages: tuple[str, ...] = ()
    worker_in_environment: bool = False
    is_embedded: bool = False
    tunes_anew: bool = False
    shares: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    abilities: frozenset[Ability] = EVERYTHING
    efforts: tuple[int, ...] = (32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512)

    def serve(self, stack: ExitStack, folder: Path, python: Path) -> Served:
        """Start what must run; the stack ends it."""
        start: Callable[[ExitStack, Path, Path], Served] = self._part("serve")
        return start(stack, folder, python)

    def _part(self, name: str) -> Any:
        return getattr(importlib.import_module(f"benchmarks.contenders.{self.module}"), name)


def make_adapter(module: str, config: dict[str, Any]) -> Adapter:
    """Return the adapter of a contender; called in its worker process."""
    adapter: Adapter = importlib.import_module(f"benchmarks.contenders.{module}").make(config)
    return adapter


LIMIT, BARE, SERVICE = "hnswlib", "bare", "service"

# 64 is the service's default; it is not measured with less.
_SERVICE_EFFORTS = (64, 96, 128, 192, 256)

CONTENDERS = (
    Contender(
        LIMIT,
        "hnswlib in process",
        "hnswlib_direct",
        is_embedded=True,
        abilities=frozenset({"search", "add", "batched"}),
    ),
    Contender(BARE, "bare DRF view over hnswlib", "bare", abilities=frozenset({"search"})),
    Contender(
        SERVICE,
        "this service, vector_b64",
        "service",
        tunes_anew=True,
        efforts=_SERVICE_EFFORTS,
        options={"wire": "b64"},
    ),
    Contender(
        "service-json",
        "this service, JSON numbers",
        "service",
        shares=SERVICE,
        tunes_anew=True,
        efforts=_SERVICE_EFFORTS,
        options={"wire": "json"},
    ),
    Contender(
        "service-arrow",
        "this service, Arrow",
        "service",
        shares=SERVICE,
        tunes_anew=True,
        efforts=_SERVICE_EFFORTS,
        options={"wire": "arrow"},
        abilities=frozenset({"add"}),
    ),
    Contender(
        "chroma",
        "Chroma server",
        "chroma",
        packages=("chromadb",),
        tunes_anew=True,
        efforts=(64, 80, 96, 128, 192, 256, 512),
    ),
    Contender("pgvector", "pgvector, prepared", "pgvector", abilities=EVERYTHING - {"batched"}),
    Contender(
        "lancedb",
        "LanceDB in process",
        "lance",
        packages=("lancedb", "numpy"),
        worker_in_environment=True,
        is_embedded=True,
        abilities=frozenset({"search", "add", "filtered"}),
    ),
    Contender(
        "milvus",
        "milvus-lite in process",
        "milvus",
        packages=("pymilvus", "milvus-lite", "numpy"),
        worker_in_environment=True,
        is_embedded=True,
        abilities=frozenset({"search", "add", "batched", "filtered"}),
    ),
)
