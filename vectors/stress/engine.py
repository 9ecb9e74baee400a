"""A stress run from the first index to the last comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from lakehouse_client import Client, LakehouseClientError
from vectors.stress.coordinator import Coordinator
from vectors.stress.ledger import Ledger, Written, differences
from vectors.stress.plan import StressPlan
from vectors.stress.record import Clock, Record

ACTS = ("write", "search", "update", "merge", "delete", "mix")
"""The phases in which all coordinators do the same, by the names of their methods."""


@dataclass(frozen=True, slots=True)
class StressReport:
    """What a run has found. It is clean when nothing differs and nothing went wrong."""

    plan: StressPlan
    phase_timings: list[dict[str, Any]]
    total_elapsed_ms: float
    latencies: dict[str, dict[str, float]]
    errors: list[str]
    error_count: int
    checked: int
    differences: list[str]
    difference_count: int

    @property
    def is_clean(self) -> bool:
        return self.error_count == 0 and self.difference_count == 0

    def facts(self) -> dict[str, Any]:
        """Return the report as it is written to a file."""
        return {**asdict(self), "ok": self.is_clean}


def run_stress(
    plan: StressPlan, *, url: str, token: str | None = None, say: Callable[[str], None] = lambda text: None
) -> StressReport:
    """Work on a running server with several clients, then compare every item with what was written.

    Its indexes are removed at the end; those that differ stay, to be looked at.

    Raises
    ------
    LakehouseClientError
        The main index cannot be made: nothing was done.
    RuntimeError
        Nobody answers at `url`.
    """
    clock, record = Clock(say), Record()
    with ExitStack() as stack:
        client = stack.enter_context(Client(url, token))
        # By one try: to wait for a server that is not there helps nobody.
        if not client.health():
            raise RuntimeError(f"{url} does not answer.")
        with clock.phase("create"):
            client.create_index(plan.main, plan.dimension)
        own = [stack.enter_context(Client(url, token)) for _ in range(plan.coordinators)]
        coordinators = [Coordinator(number, plan, one, record) for number, one in enumerate(own)]
        for act in ACTS:
            with clock.phase(act):
                _all_at_once(coordinators, act, record)
        with clock.phase("check"):
            checked, wrong, shown = _check(client, plan, coordinators, record)
        with clock.phase("remove"):
            if not wrong:
                _remove(client, plan, coordinators, record)
    total_ms = round(clock.elapsed * 1e3, 1)
    return StressReport(
        plan, clock.timings, total_ms, record.latencies(), record.errors, record.error_count, checked, shown, wrong
    )


def _all_at_once(coordinators: Sequence[Coordinator], act: str, record: Record) -> None:
    with ThreadPoolExecutor(len(coordinators), thread_name_prefix="coordinator") as pool:
        running = [pool.submit(getattr(coordinator, act)) for coordinator in coordinators]
    for coordinator, one in zip(coordinators, running, strict=True):
        error = one.exception()
        if error is not None:
            record.blame(f"coordinator {coordinator.number} broke off at {act}: {type(error).__name__}: {error}")


def _check(
    client: Client, plan: StressPlan, coordinators: Sequence[Coordinator], record: Record
) -> tuple[int, int, list[str]]:
    """Return how many items were compared, how many differences there are, and the first of them in words."""
    ledgers: dict[str, list[Ledger]] = {plan.main: [coordinator.main for coordinator in coordinators]}
    for coordinator in coordinators:
        ledgers |= {name: [ledger] for name, ledger in coordinator.fresh.items()}
    checked, wrong = 0, 0
    shown: list[str] = []
    for name, parts in ledgers.items():
        expected: dict[str, Written] = {key: item for part in parts for key, item in part.items.items()}
        unsure: set[str] = set().union(*(part.unsure for part in parts))
        try:
            listed = client.index(name).iter_items(include=("metadata", "vector"))
            found = differences(name, expected, unsure, listed)
            count = client.get_index(name).count
        except LakehouseClientError as error:
            record.blame(f"check of {name}: {error}")
            continue
        checked, wrong, shown = checked + found.checked, wrong + found.count, shown + found.shown
        if not unsure and count != len(expected):
            wrong += 1
            shown.append(f"{name}: its count is {count}, {len(expected)} were written")
    return checked, wrong, shown


def _remove(client: Client, plan: StressPlan, coordinators: Sequence[Coordinator], record: Record) -> None:
    names = [plan.main, *(name for coordinator in coordinators for name in coordinator.fresh)]
    for name in names:
        with record.call("remove", name):
            client.delete_index(name)
