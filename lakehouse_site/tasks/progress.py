"""How far the task of this process is: writing it here costs nothing, the worker's pulse takes it to the database."""

from __future__ import annotations

from collections.abc import Callable


class TaskStopped(Exception):
    """The worker ends: the task lets go at a place where nothing is half done, and is put back into the queue."""


class Progress:
    """The progress of the one task that a worker is at."""

    def __init__(self) -> None:
        self.must_stop: Callable[[], bool] = lambda: False
        self.stage = ""
        self.done = 0
        self.total: int | None = None

    def forget(self) -> None:
        """Begin anew, for the next task."""
        self.begin("")

    def begin(self, stage: str, total: int | None = None) -> None:
        """Say what is being done now and, where it is known, of how many things."""
        self.stage, self.done, self.total = stage, 0, total

    def advance(self, count: int) -> None:
        """Count what is done; a service calls this between two steps.

        Raises
        ------
        TaskStopped
            The worker ends.
        """
        self.done += count
        if self.must_stop():
            raise TaskStopped

    def facts(self) -> dict[str, str | int | None]:
        return {"stage": self.stage, "done": self.done, "total": self.total}


progress = Progress()
