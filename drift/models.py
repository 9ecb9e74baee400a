"""Tables of drift: what is watched, what it is compared with, what was found, and who was told."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

MAX_NAME_LENGTH = 128


class DriftMonitor(models.Model):
    """One thing that is looked at again and again. Its windows end at `first_window_end` and every interval after."""

    class Target(models.TextChoices):
        SCORES = "scores", "scores of runs"
        CATEGORIES = "categories", "categories of runs"
        TEXT_LENGTHS = "text_lengths", "lengths of prompts and responses"
        RUNS = "runs", "scores, categories and lengths"
        SCORER = "scorer", "verdicts of two versions of a scorer on the same answers"
        VECTOR_INDEX = "vector_index", "vectors of an index"
        EXPORT_FIGURES = "export_figures", "key figures of exports"

    class Reference(models.TextChoices):
        FIXED = "fixed", "one that stays"
        ROLLING = "rolling", "the windows before, together"
        PREVIOUS = "previous", "the window before"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MAX_NAME_LENGTH, unique=True)
    is_active = models.BooleanField(default=True)
    target = models.CharField(max_length=16, choices=Target.choices)
    selection = models.JSONField(default=dict, help_text="source, scorer_name, scorer_version, model; index; kind.")
    reference = models.CharField(max_length=16, choices=Reference.choices)
    reference_start = models.DateTimeField(null=True)
    reference_end = models.DateTimeField(null=True)
    reference_windows = models.PositiveIntegerField(default=7, help_text="How many a rolling reference spans.")
    window_seconds = models.PositiveIntegerField()
    interval_seconds = models.PositiveIntegerField()
    first_window_end = models.DateTimeField()
    last_window_end = models.DateTimeField(null=True, help_text="Windows up to this one are done.")
    parameters = models.JSONField(
        default=dict, help_text="buckets, epsilon, binning, alpha; warn, alert, directions; rows."
    )
    min_n = models.PositiveIntegerField(default=30, help_text="With fewer values on a side there is no verdict.")
    consecutive = models.PositiveIntegerField(default=1, help_text="Windows in a row that have to drift for an alert.")
    cooldown_seconds = models.PositiveIntegerField(default=0, help_text="For so long after an alert no other is sent.")
    channels = models.JSONField(default=list, help_text="Where alerts go, without secrets.")
    webhook_secret = models.CharField(max_length=256, blank=True)
    leased_by = models.CharField(max_length=255, blank=True)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(window_seconds__gte=1, interval_seconds__gte=1), name="drift_monitor_times"
            ),
            models.CheckConstraint(
                condition=Q(consecutive__gte=1, reference_windows__gte=1), name="drift_monitor_counts"
            ),
            models.CheckConstraint(
                condition=Q(reference_start__isnull=True, reference_end__isnull=True)
                | Q(reference_start__lt=F("reference_end")),
                name="drift_monitor_reference",
            ),
        )
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ReferenceProfile(models.Model):
    """What a monitor compares with, without the raw data: buckets, categories, figures, or a sample of rows."""

    monitor = models.ForeignKey(DriftMonitor, on_delete=models.CASCADE, related_name="profiles")
    metric = models.CharField(max_length=64)
    edges = models.JSONField(default=list, help_text="Between the buckets; the first and the last one are open.")
    counts = models.JSONField(default=list, help_text="Of the buckets, the underflow first; or category → count.")
    figures = models.JSONField(default=dict, help_text="Metric → number, of an export.")
    vectors = models.BinaryField(null=True, help_text="Little-endian float32, row after row.")
    dimension = models.PositiveIntegerField(default=0)
    n = models.BigIntegerField()
    missing = models.BigIntegerField(default=0)
    label = models.CharField(max_length=256, blank=True, help_text="What it was made of.")
    made_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("monitor", "metric"), name="drift_profile_once"),)

    def __str__(self) -> str:
        return f"{self.metric}: {self.n}"


class DriftReport(models.Model):
    """What one look at one window found."""

    class Verdict(models.TextChoices):
        STABLE = "stable"
        MINOR = "minor"
        MAJOR = "major"
        INSUFFICIENT_DATA = "insufficient_data"
        NO_DATA = "no_data"
        ERROR = "error"

    monitor = models.ForeignKey(DriftMonitor, on_delete=models.CASCADE, related_name="reports")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    verdict = models.CharField(max_length=32, choices=Verdict.choices)
    is_drift = models.BooleanField(default=False, help_text="Worth an alert: large, and not by chance.")
    n_reference = models.BigIntegerField(default=0)
    n_current = models.BigIntegerField(default=0)
    metrics = models.JSONField(default=list, help_text="Each metric with its measures and whether it drifted.")
    error = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=1, help_text="How often it was tried: an error is tried again.")
    seconds = models.FloatField(default=0.0)
    made_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("monitor", "window_start", "window_end"), name="drift_report_once"),
            models.CheckConstraint(condition=Q(window_start__lt=F("window_end")), name="drift_report_window"),
        )
        indexes = (models.Index(fields=("monitor", "-window_end"), name="drift_report_latest"),)
        ordering = ("-window_end", "-id")

    def __str__(self) -> str:
        return f"{self.verdict} at {self.window_end:%Y-%m-%d %H:%M}"


class DriftAlert(models.Model):
    """Something a person should look at, from the report that raised it to the one that was well again."""

    class Kind(models.TextChoices):
        DRIFT = "drift"
        NO_DATA = "no_data"
        ERROR = "error"

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    monitor = models.ForeignKey(DriftMonitor, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    summary = models.TextField()
    first_report = models.ForeignKey(DriftReport, on_delete=models.CASCADE, related_name="+")
    last_report = models.ForeignKey(DriftReport, on_delete=models.CASCADE, related_name="+")
    is_quiet = models.BooleanField(default=False, help_text="Raised while the monitor cooled down: nobody was told.")
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=256, blank=True)
    note = models.TextField(blank=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("monitor", "kind"), condition=~Q(state="resolved"), name="drift_alert_open_once"
            ),
        )
        ordering = ("-opened_at",)

    def __str__(self) -> str:
        return f"{self.kind}: {self.state}"


class DriftDelivery(models.Model):
    """One message about an alert to one channel: the log of what was sent, and the queue of what is to be."""

    class Event(models.TextChoices):
        OPENED = "opened"
        RESOLVED = "resolved"

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        FAILED = "failed", "given up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, help_text="Told to the receiver.")
    alert = models.ForeignKey(DriftAlert, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=16, choices=Event.choices)
    channel = models.CharField(max_length=16)
    address = models.CharField(max_length=1024, blank=True)
    payload = models.TextField(help_text="JSON, as it is sent.")
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("alert", "event", "channel", "address"), name="drift_delivery_once"),
        )
        indexes = (
            models.Index(fields=("next_attempt_at",), condition=Q(state="pending"), name="drift_delivery_pending"),
        )
        ordering = ("-next_attempt_at",)
        verbose_name_plural = "drift deliveries"

    def __str__(self) -> str:
        return f"{self.event} to {self.channel}: {self.state}"
