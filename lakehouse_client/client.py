"""The door: a client of one service."""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlencode

from lakehouse_client.answers import IndexInfo, IndexPage, MultiSearchResult, Readiness, Vector
from lakehouse_client.encoding import body_of, pack
from lakehouse_client.errors import BadArgument, Conflict, ConnectionLost, NotFound, Unavailable
from lakehouse_client.index import Index
from lakehouse_client.options import API, DEFAULT_K, Filter, Include, index_path, search_options
from lakehouse_client.reading import read
from lakehouse_client.transport import Backoff, Transport

PAGE_INDEXES = 100


class Client:
    """A Lakehouse, over HTTP. Threads may share it; close it, or use it in a ``with`` statement.

    Calls are sent again after 429, 502 and 503, as late as ``Retry-After`` says, and after a lost connection if they
    do the same sent twice as sent once: all but `delete_index`, `Index.delete` by filter, and `Index.merge_into` with
    ``on_conflict="error"``. These are sent again only when they certainly had no effect: after 429, and when no
    connection could be made. A call that the server did not answer in time is not sent again.

    Parameters
    ----------
    base_url
        ``http://127.0.0.1:8000``; https and a path prefix are understood. Proxies of the environment are not used.
    token
        Sent as ``Authorization: Bearer``; shown nowhere.
    timeout_seconds
        How long the server may be silent.
    retries
        How often a call is sent again at most; 0 for never.
    backoff_seconds, max_backoff_seconds
        The wait before the first retry, and the longest; it doubles in between, less up to a half at random.
    max_retry_after_seconds
        A server that asks for a longer wait is not waited for: its error is raised.
    ssl_context
        For https with a certificate that the system does not trust.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        timeout_seconds: float = 60,
        retries: int = 5,
        backoff_seconds: float = 0.25,
        max_backoff_seconds: float = 10,
        max_retry_after_seconds: float = 60,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not 0 < timeout_seconds < math.inf:
            raise BadArgument("timeout_seconds must be more than 0, and finite.")
        if retries < 0 or not 0 <= backoff_seconds < math.inf or not 0 <= max_backoff_seconds < math.inf:
            raise BadArgument("retries, backoff_seconds and max_backoff_seconds must be 0 or more, and finite.")
        self._transport = Transport(
            base_url,
            token,
            timeout_seconds=timeout_seconds,
            backoff=Backoff(retries, backoff_seconds, max_backoff_seconds, max_retry_after_seconds),
            ssl_context=ssl_context,
        )

    def __repr__(self) -> str:
        return f"<Client of {self._transport.target}, {'with' if self._transport.has_token else 'without'} a token>"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; calls that are under way end first, later ones raise."""
        self._transport.close()

    def index(self, name: str) -> Index:
        """Return the handle of an index. The server is not asked: the index may not exist yet."""
        return Index(self._transport, name)

    def create_index(
        self,
        name: str,
        dimension: int,
        *,
        distance: Literal["cosine", "euclidean", "dot"] = "cosine",
        m: int | None = None,
        ef_construction: int | None = None,
        ef_search: int | None = None,
    ) -> IndexInfo:
        """Create an empty index; what is None takes the server's default.

        When the answer to a try was lost and the next try finds the name taken, that may be our own doing. An index
        with these parameters into which nothing was ever written is then returned as the one that was created, which
        it is in all that can be told; otherwise `Conflict` is raised. `Conflict` on the first try is always raised.

        Raises
        ------
        Conflict
            The name is taken.
        """
        wanted: dict[str, object] = {
            "dimension": dimension,
            "distance": distance,
            "m": m,
            "ef_construction": ef_construction,
            "ef_search": ef_search,
        }
        try:
            answer = self._transport.call("POST", f"{API}/index", body_of({"name": name, **wanted}))
        except Conflict as error:
            if error.maybe_done and (ours := self._untouched(name, wanted)) is not None:
                return ours
            raise
        return read(IndexInfo, answer)

    def _untouched(self, name: str, wanted: Mapping[str, object]) -> IndexInfo | None:
        """Return the index if it has these parameters and was never written to."""
        try:
            info = self.get_index(name)
        except NotFound:
            return None
        is_same = all(getattr(info, field) == value for field, value in wanted.items() if value is not None)
        return info if is_same and info.seq == 0 and info.count == 0 else None

    def list_indexes(self) -> Iterator[IndexInfo]:
        """Yield all indexes by name, asking for a page at a time.

        Indexes that are created or deleted meanwhile may shift the pages: one that stays may then be left out or come
        twice.
        """
        offset = 0
        while True:
            query = urlencode({"limit": PAGE_INDEXES, "offset": offset})
            page: Any = self._transport.call("GET", f"{API}/index?{query}")
            infos = read(IndexPage, page)
            yield from infos.results
            offset += len(infos.results)
            # The server's `next` is a URL as the server sees itself, perhaps behind a proxy; it is not followed.
            if infos.next is None or not infos.results:
                return

    def get_index(self, name: str) -> IndexInfo:
        """Return parameters and state of an index.

        Raises
        ------
        NotFound
            There is no such index.
        """
        return read(IndexInfo, self._transport.call("GET", index_path(name)))

    def delete_index(self, name: str) -> None:
        """Delete an index with all its items.

        It is not sent again when its answer was lost: by then the name may be that of a new index.

        Raises
        ------
        NotFound
            There is no such index.
        """
        self._transport.call("DELETE", index_path(name), resend=False)

    def search(
        self,
        indexes: Iterable[str],
        vector: Vector,
        *,
        k: int = DEFAULT_K,
        filter: Filter | None = None,
        exact: bool = False,
        include: Include | None = None,
        max_distance: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> MultiSearchResult:
        """Return the items nearest to a vector in several indexes of one dimension and distance.

        Parameters as in `Index.search`.
        """
        target: dict[str, object] = {"indexes": list(indexes), "vector_b64": pack(vector)}
        body = body_of(target | search_options(k, filter, exact, include, max_distance), extra)
        return read(MultiSearchResult, self._transport.call("POST", f"{API}/search", body))

    def health(self) -> bool:
        """Return whether the server's process lives, by one try."""
        try:
            self._transport.once("GET", "/health")
        except ConnectionLost:
            return False
        return True

    def ready(self) -> Readiness:
        """Return whether the server can work (database, migrations, storage), by one try.

        Raises
        ------
        ConnectionLost
            It does not answer.
        """
        try:
            self._transport.once("GET", "/ready")
        except Unavailable as error:
            return Readiness(False, error.detail)
        return Readiness(True)
