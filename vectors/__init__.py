"""Named vector indexes: rows in the database, graphs in memory."""

from __future__ import annotations

import os

# One thread for each matrix product: a search is too short to share, and OpenBLAS's workers spin against the thread
# that builds graphs (p99 of searches beside a build on two cores: 13 ms with one thread, 57 to 80 ms with two). It has
# to be said before numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
