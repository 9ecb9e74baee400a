"""Tables of distillation: what came in, what was refused, and what became of every run in every export."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from distillation.firewall import NEGATIVE_ROLES, POSITIVE_ROLES, Category, Role

MAX_ID_LENGTH = 256


class ScoredRunFile(models.Model):
    """One content of one input file, and how far it was read. A body sent over HTTP has a path of its own, `http/…`.

    The counts grow in the transaction that stores the lines they count, so they hold at any moment:
    lines = blank + incomplete_tail + duplicate_identical + quarantined + ingested.
    """

    path = models.CharField(max_length=1024, help_text="From the root down, with forward slashes.")
    sha256 = models.CharField(max_length=64, help_text="Of the file as it is stored, compressed or not.")
    size_bytes = models.BigIntegerField()
    location = models.TextField(blank=True, help_text="Where it was read: a path, `storage:NAME`, or nothing.")
    lines = models.BigIntegerField(default=0, help_text="Lines read so far.")
    bytes_read = models.BigIntegerField(default=0, help_text="Bytes of those lines, uncompressed.")
    blank = models.BigIntegerField(default=0)
    incomplete_tail = models.BigIntegerField(default=0)
    duplicate_identical = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    ingested = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("path", "sha256"), name="distillation_file_content"),
            models.CheckConstraint(
                condition=Q(
                    lines=models.F("blank")
                    + models.F("incomplete_tail")
                    + models.F("duplicate_identical")
                    + models.F("quarantined")
                    + models.F("ingested")
                ),
                name="distillation_file_conservation",
            ),
        )
        ordering = ("path", "started_at")

    def __str__(self) -> str:
        return self.path


class ScoredRun(models.Model):
    """One answer of a model with a scorer's verdict. A fact: only `is_disputed` changes, or a person's release."""

    run_id = models.CharField(max_length=MAX_ID_LENGTH, unique=True)
    task_id = models.CharField(max_length=MAX_ID_LENGTH)
    attempt = models.PositiveIntegerField(default=1)
    category = models.CharField(max_length=32, choices=[(category.value, category.value) for category in Category])
    source = models.CharField(max_length=MAX_ID_LENGTH)
    scored_at = models.DateTimeField()
    score = models.FloatField(null=True, help_text="0 to 1, or none.")
    scorer_name = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    scorer_version = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    model = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    content = models.TextField(help_text="The whole line as canonical JSON: what the export reads.")
    content_sha256 = models.CharField(max_length=64, help_text="Of `content`: two lines of one run agree, or not.")
    prompt_characters = models.PositiveIntegerField(help_text="Of the prompt, or of all turns but the last answer.")
    response_characters = models.PositiveIntegerField()
    is_disputed = models.BooleanField(
        default=False, help_text="Another content came under its id: left out of exports."
    )
    file = models.ForeignKey(ScoredRunFile, on_delete=models.PROTECT, related_name="runs", db_index=False)
    line = models.PositiveBigIntegerField(help_text="From 1.")
    ingested_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(category__in=[category.value for category in Category]), name="distillation_run_category"
            ),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=0, score__lte=1), name="distillation_run_score"
            ),
        )
        indexes = (
            models.Index(fields=("file", "line"), name="distillation_run_by_place"),
            models.Index(fields=("category", "run_id"), name="distillation_run_by_category"),
            models.Index(fields=("scored_at",), name="distillation_run_by_time"),
            models.Index(fields=("task_id",), name="distillation_run_by_task"),
            models.Index(fields=("scorer_name", "scorer_version", "scored_at"), name="distillation_run_by_scorer"),
        )
        ordering = ("run_id",)

    def __str__(self) -> str:
        return self.run_id


class QuarantinedLine(models.Model):
    """A line that did not become a run, until a person releases or discards it.

    Of each file, `quarantined` is the number of its rows here that are not released.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        RELEASED = "released"
        DISCARDED = "discarded"
        SUPERSEDED = "superseded", "read again in a newer content of the file"

    file = models.ForeignKey(ScoredRunFile, on_delete=models.PROTECT, related_name="faults")
    line = models.PositiveBigIntegerField(help_text="From 1.")
    code = models.CharField(max_length=64)
    message = models.TextField()
    run_id = models.CharField(max_length=MAX_ID_LENGTH, blank=True, help_text="Where the line had a readable one.")
    raw = models.BinaryField(help_text="The first 4,096 bytes of the line.")
    size_bytes = models.BigIntegerField(help_text="Of the whole line.")
    sha256 = models.CharField(max_length=64, help_text="Of the whole line.")
    content = models.TextField(blank=True, help_text="Canonical JSON of a valid line that contradicts a stored run.")
    content_sha256 = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    note = models.TextField(blank=True)
    quarantined_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=256, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("file", "line"), name="distillation_quarantined_line"),)
        indexes = (
            models.Index(fields=("status", "code"), name="distillation_fault_by_code"),
            models.Index(fields=("run_id",), name="distillation_fault_by_run"),
        )
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.code} in line {self.line}"


class EvalSet(models.Model):
    """Questions that models are measured by; exports are kept clean of them. A changed set is a new row."""

    name = models.CharField(max_length=MAX_ID_LENGTH)
    sha256 = models.CharField(max_length=64, help_text="Of the items as canonical JSON lines.")
    items = models.PositiveIntegerField()
    content = models.TextField(help_text="Canonical JSON lines: id, prompt, answer, canary.")
    created_at = models.DateTimeField()
    is_active = models.BooleanField(default=True, help_text="Used by every export, also when it is not named.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("name", "sha256"), name="distillation_eval_set_content"),)
        ordering = ("name", "created_at")

    def __str__(self) -> str:
        return self.name


class Export(models.Model):
    """One training set, by its content: the same input and configuration have the same `export_id`."""

    class Kind(models.TextChoices):
        SFT = "sft"
        PREFERENCE = "preference"
        KTO = "kto"

    class Status(models.TextChoices):
        WRITING = "writing", "being written, or broken off"
        COMPLETE = "complete"
        FAILED = "failed", "did not pass its own checks"

    export_id = models.CharField(max_length=64, unique=True, help_text="From the hash of input and configuration.")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WRITING)
    config = models.JSONField(help_text="All of it, defaults included.")
    manifest = models.JSONField(null=True, help_text="As written to manifest.json; none until complete.")
    key_figures = models.JSONField(default=dict, help_text="Metric → number: the baseline of the next export.")
    audit = models.JSONField(null=True, help_text="The audit table against the export before it.")
    baseline = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    rows = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-started_at", "-id")

    def __str__(self) -> str:
        return f"{self.kind} {self.export_id[:12]}"


class ExportRow(models.Model):
    """A text of a run in a role in an export. The CHECK is the firewall's last wall before the file."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="export_rows")
    run = models.ForeignKey(ScoredRun, on_delete=models.PROTECT, related_name="+")
    category = models.CharField(max_length=32, help_text="Of the run when it was exported.")
    role = models.CharField(max_length=16, choices=[(role.value, role.value) for role in Role])
    include_partial = models.BooleanField()
    split = models.CharField(max_length=16)
    row_number = models.PositiveBigIntegerField(help_text="In the file of its split, from 0.")
    row_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("export", "split", "row_number", "role"), name="distillation_export_row_place"
            ),
            models.CheckConstraint(
                condition=Q(role__in=sorted(POSITIVE_ROLES), category=Category.ACCEPTED.value)
                | Q(
                    role__in=sorted(POSITIVE_ROLES),
                    category=Category.PARTIALLY_ACCEPTED.value,
                    include_partial=True,
                )
                | Q(role__in=sorted(NEGATIVE_ROLES), category=Category.REJECTED.value),
                name="distillation_export_row_firewall",
            ),
        )

    def __str__(self) -> str:
        return f"{self.split} {self.row_number} {self.role}"


class StageDecision(models.Model):
    """What became of one run in one export, and by what evidence. Every ingested run has exactly one."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="decisions")
    run = models.ForeignKey(ScoredRun, on_delete=models.PROTECT, related_name="decisions")
    outcome = models.CharField(max_length=32)
    split = models.CharField(max_length=16, blank=True)
    group = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    evidence = models.JSONField(default=dict, help_text="What it collided with, how, by how much.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("export", "run"), name="distillation_decision_once"),)
        indexes = (models.Index(fields=("export", "outcome"), name="distillation_decision_outcome"),)

    def __str__(self) -> str:
        return self.outcome


class RecallNotice(models.Model):
    """A finished export holds a run that should no longer be in it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="recall_notices")
    run = models.ForeignKey(ScoredRun, on_delete=models.PROTECT, related_name="recall_notices")
    reason = models.CharField(max_length=64, help_text="`disputed`: another content came under the run's id.")
    created_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=256, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("export", "run", "reason"), name="distillation_recall_notice_once"),
        )
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.reason


class ScorerFreeze(models.Model):
    """No new export takes runs of this scorer version until a person has looked at it."""

    scorer_name = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    scorer_version = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    reason = models.TextField()
    evidence = models.JSONField(default=dict)
    frozen_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=256, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("scorer_name", "scorer_version"),
                condition=Q(acknowledged_at__isnull=True),
                name="distillation_freeze_open_once",
            ),
        )
        ordering = ("-frozen_at",)

    def __str__(self) -> str:
        return f"{self.scorer_name} {self.scorer_version}"
