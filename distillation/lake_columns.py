"""The tables of distillation that other engines read, column by column."""

from __future__ import annotations

from typing import Final

from catalog.own_table_types import Column, OwnTable

_RUN: Final = (
    Column("id", "long", "Number of the run in the order of ingestion."),
    Column("run_id", "string", "The run's own id."),
    Column("task_id", "string", "What was to be done; several runs may have tried it."),
    Column("attempt", "int", "Which try at the task, from 1."),
    Column("category", "string", "accepted, partially_accepted, rejected or needs_human_review."),
    Column("source", "string", "Where the run comes from."),
    Column("scored_at", "timestamptz", "When it was scored."),
    Column("score", "double", "0 to 1, or null."),
    Column("scorer_name", "string", "Who scored it."),
    Column("scorer_version", "string", "And in which version."),
    Column("model", "string", "The model that answered; empty if it was not told."),
    Column("content", "string", "The whole line as canonical JSON, with prompt and response or messages."),
    Column("content_sha256", "string", "SHA-256 of `content`, in hexadecimal."),
    Column("prompt_characters", "int", "Characters of the prompt, or of all turns but the last answer."),
    Column("response_characters", "int", "Characters of the answer."),
    Column("source_file", "string", "The file it was read from."),
    Column("source_line", "long", "The line in it, from 1."),
    Column("ingested_at", "timestamptz", "When it came into the database."),
    Column("is_disputed", "boolean", "Whether, when this row was written, another content waited under its id."),
)
RUNS: Final = OwnTable(
    "scored_runs", "Scored runs as they were when they were written here; contested_runs has what became of some.", _RUN
)
CONTESTED: Final = OwnTable(
    "contested_runs",
    "Runs under whose id another content came, as they are now: they stand for the rows of scored_runs with their id.",
    _RUN,
)
EXPORTS: Final = OwnTable(
    "exports",
    "Training sets, one row each, as they are now.",
    (
        Column("export_id", "string", "From the hash of input and configuration."),
        Column("kind", "string", "sft, preference or kto."),
        Column("status", "string", "writing, complete or failed."),
        Column("format", "string", "How a row is laid out."),
        Column("file_type", "string", "jsonl or parquet."),
        Column("config", "string", "All of the configuration, as JSON."),
        Column("rows", "long", "Rows of all splits."),
        Column("splits", "string", "Split to number of rows, as JSON; null until complete."),
        Column("outcomes", "string", "Outcome to number of runs, as JSON; null until complete."),
        Column("key_figures", "string", "Metric to number, as JSON."),
        Column("baseline_export_id", "string", "The export it was compared with, or null."),
        Column("audit_verdict", "string", "What the comparison said, or null."),
        Column("open_recall_notices", "long", "Runs in it that were disputed since, and that nobody has dealt with."),
        Column("error", "string", "Why it failed, or empty."),
        Column("started_at", "timestamptz", "When it was begun."),
        Column("finished_at", "timestamptz", "When it was complete or had failed, or null."),
    ),
)
DECISIONS: Final = OwnTable(
    "export_decisions",
    "What became of every run in every complete export.",
    (
        Column("export_id", "string", "The export; the table is partitioned by it."),
        Column("run_id", "string", "The run."),
        Column("category", "string", "Of the run, when this row was written."),
        Column("outcome", "string", "exported, or why it was left behind."),
        Column("split", "string", "The split it went into, or null."),
        Column("group_name", "string", "Runs of one group are in one split; null for what was not exported."),
        Column("evidence", "string", "What it collided with, how, and by how much, as JSON."),
        Column("source_file", "string", "The file the run was read from."),
        Column("source_line", "long", "The line in it, from 1."),
    ),
    partition_by="export_id",
)
