"""The seam: one system under measure, as the process that asks it sees it."""

from __future__ import annotations

from typing import Any, Protocol

from benchmarks.data import Data, Float32s


class Adapter(Protocol):
    """What is prepared (`batch`, `question`) is not timed, what is done with it (`add`, `ask`) is."""

    def version(self) -> str:
        """Return what the system calls itself."""

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        """Make an empty collection for cosine.

        `indexed`: it must be searchable by its graph while it is added to; `effort`: see `tune`, for systems where it
        is settled here.
        """

    def drop(self, name: str) -> None:
        """Remove a collection."""

    def batch(self, data: Data, low: int, high: int) -> Any:
        """Return items `low` to `high` in the form that is sent."""

    def add(self, name: str, batch: Any) -> None:
        """Store a batch; return when the system says that it has it."""

    def finish(self, name: str) -> None:
        """Do what a user would do after loading: build the index, flush."""

    def tune(self, name: str, effort: int) -> None:
        """Set `ef`, or what the system has in its place, for all searches to come; nothing where `create` has."""

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        """Return a search for the ten nearest of each vector, with metadata, perhaps only among ``n < below``."""

    def ask(self, question: Any) -> Any:
        """Search."""

    def ids(self, answer: Any) -> list[list[str]]:
        """Return the ids in what `ask` returned, for each vector."""
