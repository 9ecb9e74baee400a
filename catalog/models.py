"""Tables of the catalog. The rows say which metadata file of a table or view is the current one; files say the rest."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

MAX_NAME_LENGTH = 255
MAX_LOCATION_LENGTH = 2048


class Warehouse(models.Model):
    """A place in the object storage where tables lie."""

    name = models.CharField(max_length=MAX_NAME_LENGTH, unique=True)
    root = models.CharField(
        max_length=MAX_LOCATION_LENGTH, help_text="What every location begins with: file:///… or s3://bucket/…"
    )
    storage_alias = models.CharField(
        max_length=64, default="default", help_text="The entry of Django's STORAGES that holds it."
    )
    properties = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Namespace(models.Model):
    """Where names of tables and views live; `levels` may be nested, as in `["prod", "runs"]`."""

    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="namespaces")
    levels = models.JSONField(help_text="A list of names, from the outermost in.")
    path = models.TextField(help_text="The levels joined by U+001F, as in addresses of the protocol.")
    properties = models.TextField(default="{}", help_text="A JSON object of texts, as it was sent.")
    location = models.CharField(max_length=MAX_LOCATION_LENGTH, help_text="Where new tables get their folders.")
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, help_text="Dropped then; dropped tables in it can still be undropped.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("warehouse", "path"), condition=Q(deleted_at=None), name="catalog_namespace_living_path"
            ),
        )
        ordering = ("path",)

    def __str__(self) -> str:
        return ".".join(self.levels)


class Relation(models.Model):
    """A table or a view: a name, and the metadata file that is current. `version` grows by one with each commit."""

    class Kind(models.TextChoices):
        TABLE = "table"
        VIEW = "view"

    namespace = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="relations")
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    uuid = models.UUIDField(help_text="Its own, for life: renaming keeps it.")
    version = models.PositiveBigIntegerField(default=0)
    location = models.CharField(max_length=MAX_LOCATION_LENGTH, help_text="The folder of its files.")
    metadata_location = models.CharField(max_length=MAX_LOCATION_LENGTH)
    metadata_text = models.TextField(help_text="What the file at metadata_location says, byte for byte.")
    format_version = models.PositiveSmallIntegerField(default=2)
    current_snapshot_id = models.BigIntegerField(null=True)
    row_count = models.BigIntegerField(null=True, help_text="Of the current snapshot, if its summary says it.")
    size_bytes = models.BigIntegerField(null=True, help_text="Of the data files, if the summary says it.")
    schema_fingerprint = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the current schema.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, help_text="Dropped then; the files are still there.")
    is_purge_requested = models.BooleanField(default=False, help_text="The files may go, once nobody undrops it.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("namespace", "name"), condition=Q(deleted_at=None), name="catalog_relation_living_name"
            ),
            # A dropped table may be registered again from the metadata file it had.
            models.UniqueConstraint(
                fields=("metadata_location",), condition=Q(deleted_at=None), name="catalog_relation_metadata_location"
            ),
        )
        indexes = (models.Index(fields=("uuid",), name="catalog_relation_uuid"),)
        ordering = ("namespace", "name")
        verbose_name = "table or view"
        verbose_name_plural = "tables and views"

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"


class Commit(models.Model):
    """What happened to a table or view, who did it, and under which request. A fact: never changed."""

    relation = models.ForeignKey(Relation, on_delete=models.CASCADE, related_name="commits")
    version = models.PositiveBigIntegerField()
    action = models.CharField(max_length=32, help_text="create, commit, rename, drop, undrop, register, rollback, …")
    updates = models.JSONField(default=list, help_text="The names of the updates, in their order.")
    metadata_location = models.CharField(max_length=MAX_LOCATION_LENGTH)
    snapshot_id = models.BigIntegerField(null=True)
    row_count = models.BigIntegerField(null=True)
    size_bytes = models.BigIntegerField(null=True)
    principal = models.CharField(max_length=MAX_NAME_LENGTH, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    committed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("relation", "version"), name="catalog_commit_version"),)
        ordering = ("relation", "-version")

    def __str__(self) -> str:
        return f"{self.action} {self.version}"


class IdempotencyKey(models.Model):
    """The answer to a request that carried a key: the same key of the same caller is answered with it again."""

    principal = models.CharField(max_length=MAX_NAME_LENGTH)
    key = models.CharField(max_length=128)
    request_sha256 = models.CharField(max_length=64, help_text="Of method, path and body.")
    status = models.PositiveSmallIntegerField()
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("principal", "key"), name="catalog_idempotency_key"),)

    def __str__(self) -> str:
        return self.key


class IngestRun(models.Model):
    """A file that became rows of a table. The same bytes with the same options are not taken twice."""

    content_key = models.CharField(
        max_length=64,
        unique=True,
        help_text="SHA-256 of the table's uuid or name, the bytes, the options and the mode.",
    )
    relation = models.ForeignKey(Relation, on_delete=models.PROTECT, related_name="ingest_runs")
    source = models.TextField(help_text="The file's name, or the object's key.")
    file_format = models.CharField(max_length=16)
    mode = models.CharField(max_length=16, help_text="create, append or overwrite.")
    options = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64, help_text="Of the file's bytes.")
    size_bytes = models.BigIntegerField()
    rows = models.BigIntegerField()
    snapshot_id = models.BigIntegerField(null=True)
    fingerprint = models.CharField(max_length=64, help_text="Of the schema the rows were written with.")
    principal = models.CharField(max_length=MAX_NAME_LENGTH, blank=True)
    seconds = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.source


class QueryRun(models.Model):
    """A query that was asked: what, by whom, and how it ended."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    sql = models.TextField()
    tables = models.JSONField(default=list, help_text="Names of the tables it read.")
    status = models.CharField(max_length=16, help_text="done, refused, failed, timeout or too_large.")
    detail = models.TextField(blank=True, help_text="Why it was refused or failed.")
    rows = models.BigIntegerField(null=True)
    seconds = models.FloatField(null=True)
    principal = models.CharField(max_length=MAX_NAME_LENGTH, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.status}: {self.sql[:80]}"


class Grant(models.Model):
    """What a principal may do in a namespace and those below it. Without any grant, a token's scope alone decides.

    With one, what a principal who is no admin adds to a table must lie in the table's own folder (`new_snapshots`).
    """

    class Privilege(models.TextChoices):
        READ = "read"
        WRITE = "write"
        MANAGE = "manage"

    principal = models.CharField(max_length=MAX_NAME_LENGTH, help_text="The name of an API token, or `*` for all.")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.CASCADE, related_name="grants")
    path = models.TextField(blank=True, help_text="Levels joined by U+001F; empty: the whole warehouse.")
    privilege = models.CharField(max_length=8, choices=Privilege.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("principal", "warehouse", "path", "privilege"), name="catalog_grant_once"),
        )
        ordering = ("warehouse", "path", "principal")

    def __str__(self) -> str:
        return f"{self.principal} may {self.privilege}"
