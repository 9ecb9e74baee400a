"""What was written, as the writers know it, and how an index differs from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from lakehouse_client import Item

Metadata: TypeAlias = dict[str, Any] | None
SHOWN = 20
"""Of the differences of one index; all are counted."""


@dataclass(frozen=True, slots=True)
class Written:
    """An item: the bytes of its float32 vector, and its metadata."""

    vector: bytes
    metadata: Metadata


class Ledger:
    """The items that must be in an index. Each coordinator has its own, for ids that are its alone."""

    def __init__(self) -> None:
        self.items: dict[str, Written] = {}
        self.unsure: set[str] = set()

    def wrote(self, keys: Iterable[str], vectors: Any, metadata: Iterable[Metadata]) -> None:
        for key, vector, fields in zip(keys, vectors, metadata, strict=True):
            before = self.items.get(key)
            # Without metadata an update leaves what is stored.
            kept = fields if fields is not None or before is None else before.metadata
            self.items[key] = Written(packed(vector), kept)

    def removed(self, keys: Iterable[str]) -> None:
        for key in keys:
            del self.items[key]

    def doubted(self, keys: Iterable[str]) -> None:
        """Give these ids up: a write of them failed in a way that leaves open whether it was done."""
        for key in keys:
            self.items.pop(key, None)
            self.unsure.add(key)


def packed(vector: Any) -> bytes:
    return np.asarray(vector, "<f4").tobytes()


@dataclass(frozen=True, slots=True)
class Differences:
    """How an index differs from what was written: how many items in all, and the first of them in words."""

    checked: int
    count: int
    shown: list[str]


def differences(index: str, expected: Mapping[str, Written], unsure: set[str], found: Iterable[Item]) -> Differences:
    """Compare every item that an index lists with what was written into it."""
    wrong: list[str] = []
    seen: set[str] = set()
    for item in found:
        if item.id in unsure:
            continue
        if item.id in seen:
            wrong.append(f"{index}: {item.id} is listed twice")
        seen.add(item.id)
        wrong += [f"{index}: {item.id} {fault}" for fault in _faults(expected.get(item.id), item)]
    wrong += [f"{index}: {key} is missing" for key in sorted(expected.keys() - seen)]
    return Differences(len(seen), len(wrong), wrong[:SHOWN])


def _faults(written: Written | None, item: Item) -> list[str]:
    if written is None:
        return ["was never written, or was deleted"]
    faults = []
    if item.vector is None or packed(item.vector) != written.vector:
        faults.append("has another vector")
    if item.metadata != written.metadata:
        faults.append(f"has metadata {item.metadata}, not {written.metadata}")
    return faults
