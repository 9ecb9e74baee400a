"""The metadata of an index by path, in columns, so that a filter is evaluated for all items at once.

A column holds a small number for every item, which stands for what is at its path. A condition is asked once about
each different value; which items pass is then a look-up in numpy. Where values mostly differ, `$eq` and `$in` look them
up, and numbers are compared in numpy; only what is left is asked one by one.
"""

from __future__ import annotations

import json
import operator
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from vectors.filter_operators import Values
from vectors.filters import MAX_KEYS, All, Condition, Filter, Not, key_of, paths, values_at

Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]

MIN_CAPACITY = 1024
MAX_PATHS = 2 * MAX_KEYS
"""Columns kept; that of the path which was asked for longest ago goes."""

REMEMBERED_TABLES = 16
REMEMBERED_ANSWERS = 32
EXACT_IN_FLOAT64 = 2**53
VALUE_BYTES, TEXT_FACTOR = 260, 8
"""What a different value takes: entries in a dictionary and two lists; and for arrays and objects, several times their
JSON text."""

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """The present state of one row: `metadata` as parsed, None for none."""

    row: int
    label: int
    deleted: bool
    metadata: Mapping[str, Any] | None


class MetadataColumns:
    """Which live items pass a filter. Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._slot_of_row: dict[int, int] = {}
        self._free: list[int] = []
        self._labels: Labels = np.zeros(MIN_CAPACITY, np.int64)
        self._alive: Mask = np.zeros(MIN_CAPACITY, np.bool_)
        self._used = 0
        self._columns: OrderedDict[str, _Column] = OrderedDict()
        self._answers: OrderedDict[Hashable, Labels] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slot_of_row)

    @property
    def size_bytes(self) -> int:
        """Memory held, without the interpreter's own overhead."""
        rest = sum(column.size_bytes for column in list(self._columns.values()))
        rest += sum(found.nbytes for found in list(self._answers.values()))
        return 13 * len(self._labels) + 100 * len(self) + rest

    def lacking(self, wanted: Filter) -> set[str]:
        """Return the paths of a filter that have no column yet; those that have one will outlive these."""
        wanted_paths = paths(wanted)
        for path in wanted_paths.intersection(self._columns):
            self._columns.move_to_end(path)
        return wanted_paths.difference(self._columns)

    def paths(self) -> list[str]:
        """Return the paths that have a column, the one used last at the end."""
        return list(self._columns)

    def add_paths(self, new: Iterable[str]) -> None:
        """Begin columns; all live items are to be applied next."""
        for path in new:
            self._columns[path] = _Column(len(self._labels))
        while len(self._columns) > MAX_PATHS:
            self._columns.popitem(last=False)

    def apply(self, entries: Iterable[Entry]) -> None:
        """Bring the columns up to the present state of these rows."""
        self._answers.clear()
        for entry in entries:
            slot = self._slot_of_row.get(entry.row)
            if entry.deleted:
                if slot is not None:
                    self._alive[slot] = False
                    self._free.append(self._slot_of_row.pop(entry.row))
                continue
            if slot is None:
                slot = self._new_slot()
                self._slot_of_row[entry.row] = slot
                self._alive[slot] = True
            self._labels[slot] = entry.label
            for path, column in self._columns.items():
                column.put(slot, values_at(entry.metadata, path))
        for column in self._columns.values():
            if column.distinct > 2 * len(self) + MIN_CAPACITY:
                column.forget_unused(self._alive)

    def matching(self, wanted: Filter) -> Labels:
        """Return the labels of the items that pass, ascending; none of the filter's paths may be lacking."""
        key = key_of(wanted)
        found = self._answers.get(key)
        if found is None:
            found = np.sort(self._labels[: self._used][self._mask(wanted) & self._alive[: self._used]])
            found.flags.writeable = False  # all who ask get the same array
        _remember(self._answers, key, found, REMEMBERED_ANSWERS)
        return found

    def _mask(self, wanted: Filter) -> Mask:
        if isinstance(wanted, Condition):
            return self._columns[wanted.path].mask(wanted, self._used)
        if isinstance(wanted, Not):
            return ~self._mask(wanted.part)
        combine = np.logical_and if isinstance(wanted, All) else np.logical_or
        found = np.full(self._used, isinstance(wanted, All), np.bool_)
        for part in wanted.parts:
            combine(found, self._mask(part), out=found)
        return found

    def _new_slot(self) -> int:
        if self._free:
            return self._free.pop()
        if self._used == len(self._labels):
            capacity = 2 * self._used
            self._labels = np.resize(self._labels, capacity)
            self._alive = np.concatenate((self._alive, np.zeros(capacity - self._used, np.bool_)))
            for column in self._columns.values():
                column.grow(capacity)
        self._used += 1
        return self._used - 1


class _Column:
    """What stands at one path: a code for each item, the different values by code; code 0 is nothing."""

    def __init__(self, capacity: int) -> None:
        self._codes: NDArray[np.int32] = np.zeros(capacity, np.int32)
        self._begin()

    def _begin(self) -> None:
        self._code_of: dict[Hashable, int] = {_key(()): 0}
        self._values: list[Values] = [()]
        self._several: list[int] = [0]
        self._value_bytes = 0
        self._numbers: NDArray[np.float64] = np.full(1, np.nan)
        self._tables: OrderedDict[Hashable, Mask] = OrderedDict()

    @property
    def distinct(self) -> int:
        return len(self._values)

    @property
    def size_bytes(self) -> int:
        tables = sum(table.nbytes for table in list(self._tables.values()))
        return self._codes.nbytes + self._numbers.nbytes + self._value_bytes + tables

    def put(self, slot: int, values: Values) -> None:
        self._codes[slot] = self._code(values)

    def grow(self, capacity: int) -> None:
        self._codes = np.concatenate((self._codes, np.zeros(capacity - len(self._codes), np.int32)))

    def forget_unused(self, alive: Mask) -> None:
        """Let go of the values that no item has any more, which change with every update of a time, say."""
        self._codes[~alive] = 0
        used, codes = np.unique(self._codes, return_inverse=True)
        kept = [self._values[code] for code in used.tolist()]
        self._begin()
        self._codes = np.array([self._code(values) for values in kept], np.int32)[codes]

    def mask(self, condition: Condition, used: int) -> Mask:
        return self._table(condition)[self._codes[:used]]

    def _code(self, values: Values) -> int:
        key = _key(values)
        code = self._code_of.get(key)
        if code is None:
            code = self._code_of[key] = len(self._values)
            self._values.append(values)
            self._value_bytes += VALUE_BYTES
            if isinstance(key, bytes):
                self._several.append(code)
                self._value_bytes += TEXT_FACTOR * len(key)
            elif isinstance(key, str):
                self._value_bytes += len(key)
        return code

    def _table(self, condition: Condition) -> Mask:
        """Return for each code whether its values pass."""
        table = self._tables.get(condition.key)
        start = 0 if table is None else len(table)
        if table is None or start < len(self._values):
            fresh = self._passes(condition, start)
            table = fresh if table is None else np.concatenate((table, fresh))
        _remember(self._tables, condition.key, table, REMEMBERED_TABLES)
        return table

    def _passes(self, condition: Condition, start: int) -> Mask:
        if condition.operator in ("$eq", "$in"):
            return self._equal(condition, start)
        compare, operand = _COMPARISONS.get(condition.operator), condition.operand
        if compare is None or not _is_exact(operand):
            return np.array([condition.test(values) for values in self._values[start:]], np.bool_)
        numbers = self._as_numbers()[start:]
        passes = np.asarray(compare(numbers, operand), np.bool_)
        for other in np.flatnonzero(np.isnan(numbers)).tolist():
            passes[other] = condition.test(self._values[start + other])
        return passes

    def _equal(self, condition: Condition, start: int) -> Mask:
        passes = np.zeros(len(self._values), np.bool_)
        for choice in [condition.operand] if condition.operator == "$eq" else condition.operand:
            code = self._code_of.get(_key([choice]))
            if code is not None:
                passes[code] = True
        for code in self._several:
            passes[code] = condition.test(self._values[code])
        return passes[start:]

    def _as_numbers(self) -> NDArray[np.float64]:
        """Return the values that are one number which float64 holds exactly; NaN for all others."""
        fresh = self._values[len(self._numbers) :]
        if fresh:
            added = [values[0] if len(values) == 1 and _is_exact(values[0]) else np.nan for values in fresh]
            self._numbers = np.concatenate((self._numbers, np.array(added, np.float64)))
        return self._numbers


def _key(values: Sequence[Any]) -> Hashable:
    """Return what is equal only for values that pass the same conditions: one string or number itself, else JSON."""
    if len(values) == 1 and type(values[0]) in (str, int, float):
        single: Hashable = values[0]
        return single
    try:
        return orjson.dumps(values)
    except TypeError:  # an integer beyond 64 bits, or nested too deeply for it
        return json.dumps(values).encode()


def _is_exact(value: object) -> bool:
    """Return whether this is a number that float64 holds exactly."""
    return type(value) is float or (type(value) is int and abs(value) <= EXACT_IN_FLOAT64)


def _remember(memory: OrderedDict[Hashable, Any], key: Hashable, value: Any, most: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > most:
        memory.popitem(last=False)
