"""One index: its items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

from lakehouse_client.answers import (
    AddResult,
    DeleteResult,
    DuplicatesResult,
    FetchResult,
    Item,
    MergeResult,
    RecallResult,
    SearchManyResult,
    SearchResult,
    SnapshotInfo,
    UpdateResult,
    Vector,
)
from lakehouse_client.batching import DEFAULT_BATCH_BYTES, DEFAULT_BATCH_ITEMS, batches, send_batches
from lakehouse_client.encoding import body_of, change_text, id_list, item_text, pack, to_json, vector_text
from lakehouse_client.errors import BadArgument
from lakehouse_client.options import (
    DEFAULT_K,
    Filter,
    Include,
    Mmr,
    include_list,
    index_path,
    queries_per_call,
    search_options,
)
from lakehouse_client.reading import each, read, value_of
from lakehouse_client.transport import Transport


class Index:
    """The items of one index; made by `Client.index`, which asks the server nothing. Threads may share it.

    Every call raises `NotFound` when there is no such index, and the other errors of `lakehouse_client.errors`.
    """

    def __init__(self, transport: Transport, name: str) -> None:
        self._transport = transport
        self._path = index_path(name)
        self.name = name

    def __repr__(self) -> str:
        return f"<Index {self.name!r} at {self._transport.target}>"

    def add(
        self,
        items: Iterable[Item | Mapping[str, Any]],
        *,
        batch_items: int = DEFAULT_BATCH_ITEMS,
        batch_bytes: int = DEFAULT_BATCH_BYTES,
    ) -> AddResult:
        """Add items or replace their vectors.

        Parameters
        ----------
        items
            `Item`, or dicts with ``id``, ``vector`` and perhaps ``metadata``. Read as they are sent, so a generator
            over any number of items needs the memory of one batch.
        batch_items, batch_bytes
            Limits of one call. Each batch is stored whole or not at all; batches before a failure stay stored, and
            ``items_done`` of the error counts their items. Adding again what is stored changes nothing.
        """
        sent = list(self.add_batches(items, batch_items=batch_items, batch_bytes=batch_bytes))
        return AddResult(sum(one.added for one in sent), sum(one.updated for one in sent), sent[-1].count, sent[-1].seq)

    def add_batches(
        self,
        items: Iterable[Item | Mapping[str, Any]],
        *,
        batch_items: int = DEFAULT_BATCH_ITEMS,
        batch_bytes: int = DEFAULT_BATCH_BYTES,
    ) -> Iterator[AddResult]:
        """Do as `add` does, but yield after every batch; nothing is sent before the first ``next``."""
        cut = batches(items, item_text, batch_items=batch_items, batch_bytes=batch_bytes)
        for answer in send_batches(cut, lambda body: self._post("add", body), "items"):
            yield read(AddResult, answer)

    def add_arrays(
        self,
        ids: Sequence[str],
        vectors: Sequence[Vector] | Vector,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        *,
        batch_items: int = DEFAULT_BATCH_ITEMS,
        batch_bytes: int = DEFAULT_BATCH_BYTES,
    ) -> AddResult:
        """Add items that stand in columns.

        Parameters
        ----------
        ids, metadata
            Length n.
        vectors
            Shape (n, dimension): a numpy array (a memory map is read row by row) or a sequence of vectors.
        """
        lengths = {len(ids), len(vectors), len(ids if metadata is None else metadata)}
        if len(lengths) > 1:
            raise BadArgument(f"ids, vectors and metadata must have one length, not {sorted(lengths)}.")
        columns: Any = zip(ids, vectors, [None] * len(ids) if metadata is None else metadata, strict=True)
        items = (Item(key, vector, fields) for key, vector, fields in columns)
        return self.add(items, batch_items=batch_items, batch_bytes=batch_bytes)

    def search(
        self,
        vector: Vector | None = None,
        *,
        id: str | None = None,
        k: int = DEFAULT_K,
        filter: Filter | None = None,
        exact: bool = False,
        include: Include | None = None,
        max_distance: float | None = None,
        mmr: Mmr | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> SearchResult:
        """Return the items nearest to a vector, or to the stored item `id`, which is left out.

        Parameters
        ----------
        vector
            Shape (dimension,).
        k
            1 to 1,000.
        filter
            Only items whose metadata match: ``{"lang": "en", "n": {"$gte": 3}}``.
        exact
            Read every row rather than ask the graph.
        include
            What hits bring along: ``metadata`` unless told.
        max_distance
            Hits are not farther than this.
        mmr
            Diverse hits, in the order in which they were chosen; ``Mmr()`` for the usual mixture.
        extra
            Further fields of the call, for a server that knows more than this client.
        """
        if (vector is None) == (id is None):
            raise BadArgument("Pass either a vector or an id.")
        target = {"id": id} if vector is None else {"vector_b64": pack(vector)}
        options = search_options(k, filter, exact, include, max_distance) | {"mmr": mmr.fields() if mmr else None}
        return read(SearchResult, self._post("search", body_of(target | options, extra)))

    def search_many(
        self,
        vectors: Iterable[Vector] | Vector,
        *,
        k: int = DEFAULT_K,
        filter: Filter | None = None,
        exact: bool = False,
        include: Include | None = None,
        max_distance: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> SearchManyResult:
        """Search for many vectors, of shape (n, dimension), in as many calls as it takes; parameters as in `search`."""
        rest = body_of(search_options(k, filter, exact, include, max_distance), extra)
        rows: Iterable[Any] = vectors
        cut = batches(
            rows,
            lambda vector, position: vector_text(vector, f"vectors[{position}]"),
            batch_items=queries_per_call(k),
            batch_bytes=DEFAULT_BATCH_BYTES,
        )
        answers = send_batches(cut, lambda body: self._post("search", body), "vectors_b64", rest)
        found = [read(SearchManyResult, answer) for answer in answers]
        seqs = [one.seq for one in found if one.seq is not None]
        return SearchManyResult(
            tuple(hits for one in found for hits in one.results),
            all(one.exact for one in found),
            min(seqs, default=None),
        )

    def fetch(
        self, ids: Iterable[str], *, include: Include | None = None, batch_items: int = DEFAULT_BATCH_ITEMS
    ) -> FetchResult:
        """Return items by their ids, with metadata and vector unless `include` says otherwise."""
        rest = body_of({"include": include_list(include)})
        found = [read(FetchResult, answer) for answer in self._by_ids("fetch", ids, batch_items, rest)]
        return FetchResult(
            tuple(item for one in found for item in one.items), tuple(key for one in found for key in one.missing)
        )

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        filter: Filter | None = None,
        batch_items: int = DEFAULT_BATCH_ITEMS,
    ) -> DeleteResult:
        """Delete items by their ids, each batch whole or not at all, or those whose metadata match a filter.

        By filter it is one call, which is not sent again when its answer was lost: what others have added meanwhile
        might match.
        """
        if (ids is None) == (filter is None):
            raise BadArgument("Pass either ids or a filter.")
        if ids is None:
            return read(DeleteResult, self._post("delete", body_of({"filter": filter}), resend=False))
        done = [read(DeleteResult, answer) for answer in self._by_ids("delete", ids, batch_items)]
        return DeleteResult(
            sum(one.deleted for one in done), tuple(key for one in done for key in one.missing), done[-1].seq
        )

    def count(self, filter: Filter | None = None) -> int:
        """Return the number of items, or of those whose metadata match a filter."""
        return int(value_of(self._post("count", body_of({"filter": filter})), "count", int))

    def iter_items(self, *, include: Include = ("metadata",), page_items: int = 1_000) -> Iterator[Item]:
        """Yield every item once, by id, also while others write; `page_items` (1 to 10,000) are held at a time."""
        query = {"limit": str(page_items), "include": ",".join(include)}
        while True:
            answer = self._transport.call("GET", f"{self._path}/items?{urlencode(query)}")
            for item in value_of(answer, "items", list):
                yield read(Item, item)
            if answer.get("next") is None:
                return
            query["cursor"] = str(answer["next"])

    def update_metadata(
        self,
        changes: Mapping[str, Mapping[str, Any]] | Iterable[tuple[str, Mapping[str, Any]]],
        *,
        batch_items: int = DEFAULT_BATCH_ITEMS,
        batch_bytes: int = DEFAULT_BATCH_BYTES,
    ) -> UpdateResult:
        """Change keys of the metadata of items and leave their other keys.

        Parameters
        ----------
        changes
            Id → new values by key; None removes a key.
        """
        pairs: Iterable[tuple[str, Mapping[str, Any]]] = changes.items() if isinstance(changes, Mapping) else changes
        cut = batches(pairs, change_text, batch_items=batch_items, batch_bytes=batch_bytes)
        answers = send_batches(cut, lambda body: self._transport.call("PATCH", f"{self._path}/items", body), "items")
        done = [read(UpdateResult, answer) for answer in answers]
        return UpdateResult(
            sum(one.updated for one in done), tuple(key for one in done for key in one.missing), done[-1].seq
        )

    def merge_into(
        self,
        dest: str,
        *,
        clear_source: bool = False,
        on_conflict: Literal["skip", "overwrite", "error"] = "skip",
        dry_run: bool = False,
        timeout_seconds: float | None = None,
    ) -> MergeResult:
        """Copy the items of this index into the index `dest`, or move them with `clear_source`.

        A merge whose answer was lost is run again, which finishes it. Not so with ``on_conflict="error"``: the second
        run would take what the first has added for conflicts.
        """
        fields = {"dest": dest, "clear_source": clear_source, "on_conflict": on_conflict, "dry_run": dry_run}
        resend = dry_run or on_conflict != "error"
        return read(MergeResult, self._post("merge", body_of(fields), resend=resend, timeout_seconds=timeout_seconds))

    def snapshot(self, *, timeout_seconds: float | None = None) -> SnapshotInfo:
        """Write the index to object storage now."""
        return read(SnapshotInfo, self._post("snapshot", b"{}", timeout_seconds=timeout_seconds))

    def recall(self, *, num: int = 25, k: int = DEFAULT_K, timeout_seconds: float | None = None) -> RecallResult:
        """Measure the graph against exact search, with `num` stored vectors and their `k` nearest."""
        return read(RecallResult, self._post("recall", body_of({"num": num, "k": k}), timeout_seconds=timeout_seconds))

    def recall_history(self) -> tuple[RecallResult, ...]:
        """Return what was measured before, the newest first."""
        return each(RecallResult)(value_of(self._transport.call("GET", f"{self._path}/recall"), "results", list))

    def duplicates(self, threshold: float, *, timeout_seconds: float | None = None) -> DuplicatesResult:
        """Find groups of items that lie within a distance of each other, link by link."""
        body = body_of({"threshold": threshold})
        return read(DuplicatesResult, self._post("duplicates", body, timeout_seconds=timeout_seconds))

    def _by_ids(self, verb: str, ids: Iterable[str], batch_items: int, rest: bytes = b"") -> Iterator[Any]:
        cut = batches(
            id_list(ids),
            lambda key, position: to_json(key, f"ids[{position}]"),
            batch_items=batch_items,
            batch_bytes=DEFAULT_BATCH_BYTES,
        )
        return send_batches(cut, lambda body: self._post(verb, body), "ids", rest)

    def _post(self, verb: str, body: bytes, *, resend: bool = True, timeout_seconds: float | None = None) -> Any:
        return self._transport.call(
            "POST", f"{self._path}/{verb}", body, resend=resend, timeout_seconds=timeout_seconds
        )
