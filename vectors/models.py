"""Tables of the index service. Rows are the truth; graphs in memory and files in storage derive from them."""

from __future__ import annotations

import uuid

from django.db import models

MAX_NAME_LENGTH = 128
MAX_KEY_LENGTH = 512


class VectorIndex(models.Model):
    """A named index. Whatever is cached or stored for it is keyed by `id`, so a reused name never mixes two indexes."""

    class Distance(models.TextChoices):
        COSINE = "cosine"
        EUCLIDEAN = "euclidean"
        DOT = "dot"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MAX_NAME_LENGTH, unique=True)
    dimension = models.PositiveIntegerField()
    distance = models.CharField(max_length=16, choices=Distance.choices)
    m = models.PositiveIntegerField()
    ef_construction = models.PositiveIntegerField()
    ef_search = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "vector indexes"

    def __str__(self) -> str:
        return self.name


class IndexHead(models.Model):
    """The hot row of an index. Every write updates it first, so its row lock puts writes in the order of `last_seq`."""

    index = models.OneToOneField(VectorIndex, on_delete=models.CASCADE, primary_key=True, related_name="head")
    last_seq = models.BigIntegerField(default=0)
    live_count = models.BigIntegerField(default=0)
    tombstone_floor = models.BigIntegerField(
        default=0, help_text="Tombstones up to this sequence number may be gone: a graph behind it must load anew."
    )
    generation = models.BigIntegerField(
        default=0, help_text="Raised when the graph was built anew: graphs of an older generation are replaced."
    )
    purge_mark_seq = models.BigIntegerField(
        default=0, help_text="The sequence number at `purge_mark_at`: tombstones up to it are at least as old as that."
    )
    purge_mark_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.index_id} at {self.last_seq}"


class VectorItem(models.Model):
    """One id of an index: its vector and metadata, or a tombstone."""

    index = models.ForeignKey(VectorIndex, on_delete=models.CASCADE, db_index=False, related_name="items")
    key = models.CharField(max_length=MAX_KEY_LENGTH, help_text="The caller's id.")
    seq = models.BigIntegerField(help_text="Sequence number of the last change.")
    label = models.BigIntegerField(help_text="Sequence number of the last change of the vector.")
    deleted = models.BooleanField(default=False)
    metadata = models.TextField(  # noqa: DJ001  null, "the caller sent none", is not "{}"
        null=True,
        help_text="JSON text, kept to the letter: jsonb would turn 1e300 into an integer and refuse \\u0000.",
    )
    vector = models.BinaryField(help_text="Little-endian float32, as it was sent. Empty in a tombstone.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("index", "key"), name="vectors_item_key"),
            models.UniqueConstraint(fields=("index", "seq"), name="vectors_item_seq"),
            models.UniqueConstraint(fields=("index", "label"), name="vectors_item_label"),
        )
        indexes = (
            models.Index(fields=("index", "seq"), condition=models.Q(deleted=True), name="vectors_item_tombstone"),
        )

    def __str__(self) -> str:
        return self.key


class RecallMeasurement(models.Model):
    """How much of the true neighbours an index found at one time: its history."""

    index = models.ForeignKey(VectorIndex, on_delete=models.CASCADE, related_name="recalls")
    measured_at = models.DateTimeField()
    recall = models.FloatField(help_text="Share of the true k nearest that were found, 0 to 1.")
    num = models.PositiveIntegerField(help_text="Stored vectors that were searched for.")
    k = models.PositiveIntegerField()
    ann_ms = models.FloatField(help_text="Median time of a search, milliseconds.")
    exact_ms = models.FloatField(help_text="Time of an exact search, as one of many, milliseconds.")
    ef_search = models.PositiveIntegerField()
    count = models.BigIntegerField(help_text="Items the index had.")
    seq = models.BigIntegerField()

    class Meta:
        ordering = ("-measured_at", "-id")

    def __str__(self) -> str:
        return f"{self.recall:.3f} at {self.measured_at:%Y-%m-%d %H:%M}"


class Snapshot(models.Model):
    """A file in object storage that holds one index whole, from the moment it is announced until it is deleted.

    A row comes before its file and goes after it. So every file this database has made is known to it, and no file of
    another one (backups that are about to be restored, say) is ever taken for garbage.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "being written"
        VERIFIED = "verified"
        FAILED = "failed", "could not be published"
        DAMAGED = "damaged", "missing, or not what was written"
        RETIRED = "retired", "to be deleted"

    # Not a foreign key: files outlive a dropped index until they are deleted.
    index_id = models.UUIDField()
    seq = models.BigIntegerField(help_text="It holds every write up to this sequence number.")
    object_name = models.CharField(max_length=255, unique=True)
    size_bytes = models.BigIntegerField(default=0)
    generation = models.BigIntegerField(default=0, help_text="That of the graph in it.")
    graph_bytes = models.BigIntegerField(default=0, help_text="Size of the graph in it; 0 for none.")
    sha256 = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    is_foreign = models.BooleanField(
        default=False, help_text="The index was restored from it: another index made it, so its file is never deleted."
    )
    error = models.TextField(blank=True, help_text="Why it failed, or why it could last not be read.")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("index_id", "seq"), name="vectors_snapshot_index"),)

    def __str__(self) -> str:
        return self.object_name


class Lease(models.Model):
    """Who does a work that one process is enough for."""

    name = models.CharField(max_length=64, primary_key=True)
    holder = models.CharField(max_length=255)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
