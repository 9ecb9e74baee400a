from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage

from tests.factories import add
from tests.vectors.test_restore import DATA, lose_the_database, make_docs, only_backup
from vectors import indexes, maintenance
from vectors.models import VectorIndex
from vectors.restore import restore_soundest

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs", "storage")


def test_where_the_newest_file_is_damaged_inside_the_older_one_is_restored_and_named(
    storage: FileSystemStorage,
) -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    older = only_backup()
    add("docs", [{"id": "late", "vector": DATA[3].tolist()}])
    maintenance.snapshot_index(name="docs")
    newest = only_backup()
    path = Path(storage.path(newest.object_name))
    content = bytearray(path.read_bytes())
    content[-60] ^= 1  # in the metadata: nothing that listing reads
    path.write_bytes(content)
    lose_the_database()

    used, problems = restore_soundest(backup=only_backup())

    assert newest.older == (older.object_name,)
    assert used is not None
    assert (used.object_name, used.seq) == (older.object_name, older.seq)
    assert [problem.partition(":")[0] for problem in problems] == [newest.object_name]
    assert indexes.index_info(name="docs").count == older.count


def test_where_no_file_is_sound_nothing_is_restored(storage: FileSystemStorage) -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    path = Path(storage.path(only_backup().object_name))
    content = bytearray(path.read_bytes())
    content[-60] ^= 1
    path.write_bytes(content)
    lose_the_database()

    used, problems = restore_soundest(backup=only_backup())

    assert used is None
    assert len(problems) == 1
    assert not VectorIndex.objects.exists()
