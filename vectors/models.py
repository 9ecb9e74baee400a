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

    def __str__(self) -> str:
        return self.key
