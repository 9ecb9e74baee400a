"""The rows that say which snapshots there are. A row comes before its file and goes after it."""

from __future__ import annotations

import secrets
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from lakehouse_site.errors import IndexNotFound, StorageFailed
from vectors.models import IndexHead, Snapshot
from vectors.rows import IndexState
from vectors.transactions import run_write

FOLDER = "_vectors"
KEPT = 2
"""Verified snapshots of an index that stay: should the newest turn out damaged, there is one to go back to."""

GRACE = timedelta(hours=1)
"""Files nobody needs any more stay this long: somebody may just be reading them."""

Status = Snapshot.Status
COLLECTABLE = (Status.PENDING, Status.FAILED, Status.RETIRED)


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """The newest good snapshot of an index (None without one), and what has gone wrong since."""

    seq: int | None
    bytes: int | None
    created_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the snapshots of an index have come: the newest good one, and when one last failed."""

    seq: int = -1
    created_at: datetime | None = None
    failed_at: datetime | None = None


def object_name(index_id: uuid.UUID, seq: int) -> str:
    """Return a name no object has."""
    return f"{FOLDER}/{index_id}/{seq}-{secrets.token_hex(8)}.lhv1"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that is about to be saved: the sequence number it is good for, its graph, its sizes and checksum."""

    seq: int
    generation: int
    graph_bytes: int
    size_bytes: int
    sha256: str


def announce(index_id: uuid.UUID, written: WrittenFile) -> Snapshot:
    """Record a file that is about to be saved."""
    now = timezone.now()
    name = object_name(index_id, written.seq)
    snapshot = Snapshot(index_id=index_id, object_name=name, created_at=now, changed_at=now, **asdict(written))
    run_write(lambda: snapshot.save(force_insert=True))
    return snapshot


def adopt(index_id: uuid.UUID, name: str, written: WrittenFile) -> None:
    """Record a file an index is restored from as its snapshot, in the transaction that restores it.

    A file that is on record belongs to another index of this database, which may give it up at any time.
    """
    now = timezone.now()
    facts = asdict(written) | {"index_id": index_id, "status": Status.VERIFIED, "is_foreign": True}
    Snapshot.objects.get_or_create(object_name=name, defaults=facts | {"created_at": now, "changed_at": now})


def accept(snapshot: Snapshot, name: str) -> None:
    """Make a snapshot that was read back count; older ones beyond `KEPT`, and what failed before it, may go.

    Raises
    ------
    IndexNotFound
        The index was dropped meanwhile; the file may go too.
    StorageFailed
        The file was collected before it came to count.
    """

    def work() -> bool:
        # The head first, as in every write: a drop cannot come between.
        is_alive = IndexHead.objects.select_for_update().filter(pk=snapshot.index_id).exists()
        pending = Snapshot.objects.filter(pk=snapshot.pk, status=Status.PENDING)
        if not (_change(pending, Status.VERIFIED) if is_alive else _give_up(pending)):
            raise StorageFailed(f"{snapshot.object_name} took so long that it was collected as left behind.")
        mine = Snapshot.objects.filter(index_id=snapshot.index_id)
        _change(mine.filter(status__in=(Status.FAILED, Status.DAMAGED), pk__lt=snapshot.pk), Status.RETIRED)
        good = mine.filter(status=Status.VERIFIED).order_by("-seq", "-pk")
        _change(Snapshot.objects.filter(pk__in=list(good.values_list("pk", flat=True)[KEPT:])), Status.RETIRED)
        return is_alive

    if not run_write(work):
        raise IndexNotFound(name)


def fail(state: IndexState, snapshot: Snapshot | None, error: str) -> None:
    """Record that a snapshot could not be published, in the place of the failure before it."""
    now = timezone.now()
    failed = snapshot or Snapshot(
        index_id=state.id, seq=state.last_seq, object_name=object_name(state.id, 0), created_at=now
    )
    failed.status, failed.error, failed.changed_at = Status.FAILED, error, now

    def work() -> None:
        earlier = Snapshot.objects.filter(index_id=state.id, status=Status.FAILED)
        _change(earlier.exclude(pk=failed.pk), Status.RETIRED)
        failed.save()

    run_write(work)


def mark_damaged(snapshot: Snapshot, error: str) -> None:
    """Record that a snapshot is no good; it will not be read again."""
    good = Snapshot.objects.filter(pk=snapshot.pk, status=Status.VERIFIED)
    run_write(lambda: _change(good, Status.DAMAGED, error))


def note_trouble(snapshot: Snapshot, error: str) -> None:
    """Record why a snapshot could not be read just now, or with an empty text that it could."""
    if snapshot.error != error:
        changes = {"error": error, "changed_at": timezone.now()}
        run_write(lambda: Snapshot.objects.filter(pk=snapshot.pk, status=Status.VERIFIED).update(**changes))


def retire_all(index_id: uuid.UUID) -> None:
    """Give up all files of an index, in the transaction that drops it; who is just writing one does so himself."""
    _give_up(Snapshot.objects.filter(index_id=index_id).exclude(status=Status.PENDING))


def verified(index_id: uuid.UUID) -> list[Snapshot]:
    """Return the good snapshots of an index, the newest first."""
    return list(Snapshot.objects.filter(index_id=index_id, status=Status.VERIFIED).order_by("-seq", "-pk"))


def listed(index_id: uuid.UUID) -> list[Snapshot]:
    """Return all snapshots of an index that are on record, whatever has become of them, the newest first."""
    return list(Snapshot.objects.filter(index_id=index_id))


def standings() -> dict[uuid.UUID, Standing]:
    """Return how far the snapshots of all indexes have come."""
    found: dict[uuid.UUID, Standing] = {}
    for snapshot in Snapshot.objects.filter(status__in=(Status.VERIFIED, Status.FAILED)).order_by("seq", "pk"):
        before = found.get(snapshot.index_id, Standing())
        if snapshot.status == Status.VERIFIED:
            now = replace(before, seq=snapshot.seq, created_at=snapshot.created_at)
        else:
            now = replace(before, failed_at=snapshot.changed_at)
        found[snapshot.index_id] = now
    return found


def collectable(index_id: uuid.UUID | None = None) -> list[Snapshot]:
    """Return the snapshots whose files may go: also those whose publisher seems to have been killed.

    A damaged one stays until there is a newer good one: perhaps something of it can still be used.
    """
    old = Snapshot.objects.filter(changed_at__lte=timezone.now() - GRACE, status__in=COLLECTABLE)
    return list(old if index_id is None else old.filter(index_id=index_id))


def condemn(snapshot: Snapshot) -> bool:
    """Settle that a collectable file goes; return False when its row has come to count meanwhile.

    From here on nobody can accept it any more. Without this step its publisher could, between the moment somebody found
    it collectable and that in which he deletes it.
    """
    if snapshot.status == Status.RETIRED:
        return True
    mine = Snapshot.objects.filter(pk=snapshot.pk, status__in=COLLECTABLE)
    return bool(run_write(lambda: _give_up(mine)))


def forget(snapshot: Snapshot) -> None:
    """Remove the row of a file that is gone."""
    run_write(lambda: Snapshot.objects.filter(pk=snapshot.pk, status=Status.RETIRED).delete())


def infos(index_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, SnapshotInfo]:
    """Return what is told of the snapshots of these indexes; nothing for those that have none."""
    of_index: dict[uuid.UUID, list[Snapshot]] = defaultdict(list)
    shown = (Status.VERIFIED, Status.FAILED, Status.DAMAGED)
    for snapshot in Snapshot.objects.filter(index_id__in=list(index_ids), status__in=shown):
        of_index[snapshot.index_id].append(snapshot)
    return {index_id: _info(found) for index_id, found in of_index.items()}


def _info(found: Sequence[Snapshot]) -> SnapshotInfo:
    good = max((one for one in found if one.status == Status.VERIFIED), key=lambda one: (one.seq, one.pk), default=None)
    troubles = [one for one in found if one.error and (good is None or one.pk >= good.pk)]
    error = max(troubles, key=lambda one: one.changed_at).error if troubles else None
    if good is None:
        return SnapshotInfo(None, None, None, error)
    return SnapshotInfo(good.seq, good.size_bytes, good.created_at, error)


def _give_up(snapshots: QuerySet[Snapshot]) -> int:
    """Let the files go at once."""
    return snapshots.update(status=Status.RETIRED, changed_at=timezone.now() - GRACE)


def _change(snapshots: QuerySet[Snapshot], status: str, error: str | None = None) -> int:
    changes = {"status": status, "changed_at": timezone.now()} | ({} if error is None else {"error": error})
    return snapshots.update(**changes)
