"""An hnswlib graph that keeps to what hnswlib 0.8 does safely.

Each rule answers a fault seen in hnswlib: vectors are normalised before they come here (its cosine space squares in
float32); capacity grows by doubling before an insertion (adding over capacity leaves half a batch behind);
labels are never reused nor updated in place (both harm the graph): a changed vector gets a new label and the old one
is marked deleted; a query never asks for more neighbours than are left (it raises).
"""

from __future__ import annotations

from pathlib import Path

import hnswlib
import numpy as np
from numpy.typing import NDArray

from lakehouse_site.errors import DamagedFile
from vectors.distances import Distance, Float32Rows, Float64s
from vectors.fingerprints import Fingerprints
from vectors.hnsw_file import read_saved
from vectors.tail import Labels

INITIAL_CAPACITY = 1024
SEED = 100
EF_MARGIN = 16
"""Added to the index's `ef_search`: on 20,000 real embeddings it lifts recall@10 at the default of 64 from 0.985 to
0.993 for 30 microseconds a search, and leaves room for builds that turn out a little worse."""


MAX_EQUALS = 1_000
"""Equal vectors added to what the graph finds: as many as an answer can hold."""


class HnswGraph:
    """Approximate neighbours among labelled float32 rows. Not thread-safe: insertions need to be alone.

    Parameters
    ----------
    dimension, distance, m, ef_construction, ef_search
        Those of the index.
    """

    def __init__(self, dimension: int, distance: Distance, m: int, ef_construction: int, ef_search: int) -> None:
        self._dimension = dimension
        self._distance = distance
        self._m = m
        self._ef = ef_search + EF_MARGIN
        self._dead: set[int] = set()
        self._fingerprints = Fingerprints()
        self._space = "l2" if distance == "euclidean" else "ip"
        self._index = hnswlib.Index(space=self._space, dim=dimension)
        self._index.init_index(INITIAL_CAPACITY, M=m, ef_construction=ef_construction, random_seed=SEED)
        self._index.set_ef(self._ef)

    def __len__(self) -> int:
        return int(self._index.get_current_count()) - len(self._dead)

    @property
    def tombstones(self) -> int:
        """Labels that are marked deleted and still take up room."""
        return len(self._dead)

    @property
    def size_bytes(self) -> int:
        """Memory of vectors, links and fingerprints; hnswlib's level 0 has 2 M links of 4 bytes, label, vector."""
        per_row = self._dimension * 4 + self._m * 2 * 4 + 4 + 8 + 16
        return int(self._index.get_current_count()) * per_row

    def add(self, labels: Labels, vectors: Float32Rows, threads: int) -> None:
        """Insert rows of shape (n, dimension) under labels that were never here before."""
        needed = int(self._index.get_current_count()) + len(labels)
        capacity = int(self._index.get_max_elements())
        if needed > capacity:
            while capacity < needed:
                capacity *= 2
            self._index.resize_index(capacity)
        self._index.add_items(vectors, labels, num_threads=threads)
        self._fingerprints.add(labels, vectors)

    def remove(self, labels: Labels) -> None:
        """Mark labels that are here and not yet deleted."""
        for label in labels.tolist():
            self._index.mark_deleted(label)
            self._dead.add(label)

    def save(self, path: Path) -> None:
        """Write the graph to a file; hnswlib holds the interpreter lock meanwhile.

        Raises
        ------
        OSError
            It could not be written whole: hnswlib itself says nothing of a full disk.
        """
        try:
            self._index.save_index(str(path))
        except RuntimeError as error:
            raise OSError(f"hnswlib cannot write {path}: {error}") from error
        size, expected = path.stat().st_size, int(self._index.index_file_size())
        if size != expected:
            raise OSError(f"Only {size} of {expected} bytes of a graph could be written to {path}: is the disk full?")

    def load(self, path: Path) -> None:
        """Become the graph that `save` wrote with the same parameters. The caller has verified its checksum.

        Raises
        ------
        DamagedFile
            It is a graph of other parameters, or none.
        """
        saved = read_saved(path, self._dimension, self._m)
        index = hnswlib.Index(space=self._space, dim=self._dimension)
        try:
            index.load_index(str(path))
        except RuntimeError as error:
            raise DamagedFile(f"hnswlib cannot read the graph: {error}.") from error
        index.set_ef(self._ef)  # loading resets it
        self._index = index
        self._dead = set(saved.labels[saved.is_deleted].tolist())
        self._fingerprints = Fingerprints()
        self._fingerprints.add(saved.labels, saved.vectors)

    def live_labels(self) -> set[int]:
        """Return the labels that are here and not deleted."""
        return set(self._index.get_ids_list()) - self._dead

    def vectors(self, labels: Labels) -> Float32Rows:
        """Return the rows of live labels, shape (n, dimension), as they were added. Some 30 microseconds a row."""
        return np.asarray(self._index.get_items(labels, return_type="numpy"), dtype=np.float32)

    def search(self, queries: Float32Rows, k: int, threads: int) -> list[Labels] | None:
        """Return the labels nearest to each query, and those that hold the very vector that was asked for.

        None when hnswlib finds fewer than min(k, live rows): tombstones can cut parts of the graph off. The caller then
        searches exactly.
        """
        wanted = min(k, len(self))
        if wanted == 0:
            return [np.empty(0, np.int64) for _ in queries]
        try:
            labels, _ = self._index.knn_query(queries, k=wanted, num_threads=threads)
        except RuntimeError:
            return None
        return [self._with_equals(query, near) for query, near in zip(queries, labels.view(np.int64), strict=True)]

    def closest_other(self, queries: Float32Rows, own: Labels, threads: int) -> Float64s:
        """Return about how far the nearest row under another label than its own is from each query.

        It is infinite where there is none, and minus infinity where hnswlib cannot tell.
        """
        wanted = min(2, len(self))
        if wanted == 0:
            return np.full(len(queries), np.inf)
        try:
            labels, raw = self._index.knn_query(queries, k=wanted, num_threads=threads)
        except RuntimeError:
            return np.full(len(queries), -np.inf)
        far = raw.astype(np.float64)
        if self._distance == "euclidean":
            far = np.sqrt(np.maximum(far, 0))
        elif self._distance == "dot":
            far -= 1.0  # hnswlib's is 1 - inner product
        far[labels.view(np.int64) == own[:, None]] = np.inf
        closest: Float64s = far.min(axis=1)
        return closest

    def _with_equals(self, query: NDArray[np.float32], near: Labels) -> Labels:
        missed = [label for label in self._fingerprints.labels(query) if label not in self._dead and label not in near]
        return np.append(near, missed[:MAX_EQUALS]).astype(np.int64) if missed else near
