"""The tables of the architecture; `test_architecture.py` holds the imports to them.

A module that is not named in one is middle ground of its app and private to it.
"""

from __future__ import annotations

import sys

SITE = "lakehouse_site"
# What each app may know of the others: arrows run one way. `drift.audit` is pure, and exports print its table.
APPS: dict[str, set[str]] = {
    "vectors": set(),
    "catalog": {"vectors"},
    "distillation": {
        "catalog",
        "disputes",
        "drift.audit",
        "ingestion",
        "listing",
        "loading",
        "posted_runs",
        "quarantine",
        "quarantine_reads",
        "reports",
        "runs",
        "vectors",
    },
    "drift": {"vectors", "distillation", "catalog"},
}
CLIENT = "lakehouse_client"
MAX_FILE_LINES = 300

# What these take and return are arrays, bytes and dataclasses; orjson, a parser without state, is as pure as numpy.
PURE = {
    "lakehouse_site.errors",
    "lakehouse_site.access.addresses",
    "lakehouse_site.access.tokens",
    "catalog.avro_files",
    "catalog.callers",
    "catalog.definition_updates",
    "catalog.errors",
    "catalog.json_places",
    "catalog.locations",
    "catalog.manifests",
    "catalog.metadata_checks",
    "catalog.names",
    "catalog.partitioning",
    "catalog.protocol_errors",
    "catalog.requirements",
    "catalog.schemas",
    "catalog.snapshot_checks",
    "catalog.snapshot_updates",
    "catalog.summaries",
    "catalog.table_metadata",
    "catalog.table_parts",
    "catalog.table_state",
    "catalog.table_updates",
    "catalog.view_metadata",
    "catalog.view_state",
    "drift.audit",
    "drift.bodies",
    "drift.buckets",
    "drift.categorical",
    "drift.charts",
    "drift.chi_square",
    "drift.classifier",
    "drift.column_files",
    "drift.embedding",
    "drift.freezing",
    "drift.kernels",
    "drift.monitor_fields",
    "drift.multiple",
    "drift.neighbours",
    "drift.permutations",
    "drift.profiles",
    "drift.psi",
    "drift.samples",
    "drift.shapes",
    "drift.webhooks",
    "drift.windows",
    "distillation.attempts",
    "distillation.candidates",
    "distillation.compressed",
    "distillation.dataset_card",
    "distillation.decontamination",
    "distillation.entry",
    "distillation.errors",
    "distillation.eval_index",
    "distillation.eval_set_files",
    "distillation.export_figures",
    "distillation.export_request",
    "distillation.firewall",
    "distillation.format_checks",
    "distillation.formats",
    "distillation.funnel_picture",
    "distillation.grouping",
    "distillation.groups",
    "distillation.json_values",
    "distillation.leaks",
    "distillation.lines",
    "distillation.minhash",
    "distillation.near_duplicates",
    "distillation.pairs",
    "distillation.pipeline",
    "distillation.pipeline_types",
    "distillation.redaction",
    "distillation.row_files",
    "distillation.run_bodies",
    "distillation.secrets",
    "distillation.selection",
    "distillation.set_index",
    "distillation.sides",
    "distillation.splits",
    "distillation.stage_book",
    "distillation.synthesis",
    "distillation.texts",
    "distillation.timestamps",
    "distillation.validation",
    "vectors.batches",
    "vectors.breadth",
    "vectors.coder_hnsw",
    "vectors.columns",
    "vectors.distances",
    "vectors.diversity",
    "vectors.exact",
    "vectors.fields",
    "vectors.filter_operators",
    "vectors.filters",
    "vectors.fingerprints",
    "vectors.graph",
    "vectors.graph_types",
    "vectors.groups",
    "vectors.hnsw",
    "vectors.hnsw_file",
    "vectors.json_lines",
    "vectors.lhv1",
    "vectors.lhv1_envelope",
    "vectors.lhv1_go",
    "vectors.lhv1_reader",
    "vectors.local_files",
    "vectors.locks",
    "vectors.metadata_columns",
    "vectors.npy_rows",
    "vectors.patches",
    "vectors.pictures",
    "vectors.projection",
    "vectors.queries",
    "vectors.tail",
    "vectors.validation",
}
PURE_MAY_IMPORT = {"fastavro", "numpy", "hnswlib", "orjson", "pyarrow", "rensa", "xxhash", "zstandard"} | set(
    sys.stdlib_module_names
)

# Use cases: what other apps, views, admin and commands call.
SERVICES = {
    "vectors": {
        "duplicates",
        "exports",
        "imports",
        "index_map",
        "indexes",
        "items",
        "maintenance",
        "merge",
        "objects",  # files in the storage, and
        "overview",
        "recall",
        "restore",
        "search",
        "snapshots",
        "transactions",  # durable writes: every app does these in the one way
        "upkeep",
        "writes",
    },
    "catalog": {
        "callers",
        "commits",
        "namespaces",
        "registrations",
        "relation_moves",
        "relations",
        "warehouse_files",
        "warehouses",
    },
    "distillation": {"eval_sets", "export_reads", "exports", "figures", "freezes", "quarantine_reads"},
    "drift": {"alerts", "checks", "deliveries", "monitors"},
}
# HTTP, HTML, terminal: nothing below knows them.
OUTER = {
    "admin",
    "admin_pages",
    "answers",
    "export_admin",
    "export_openapi",
    "export_views",
    "form_examples",
    "management",
    "openapi",
    "protocol",
    "serializers",
    "templatetags",
    "urls",
    "views",
}
# What an app may take from the site. Only its outer modules may speak of access and of HTTP.
SITE_FOR_ALL = {"lakehouse_site.errors", "lakehouse_site.outages"}
SITE_FOR_OUTER = {
    "lakehouse_site.access",
    "lakehouse_site.fast_lane",
    "lakehouse_site.http",
    "lakehouse_site.logs",
    "lakehouse_site.management.base",
    "lakehouse_site.openapi_shapes",
    "lakehouse_site.pagination",
}
# The site's own inner modules; what speaks HTTP there is for views and middleware.
SITE_INNER = {f"lakehouse_site.access.{name}" for name in ("models", "selectors", "services")} | {
    "lakehouse_site.errors"
}
SITE_OUTER = {f"lakehouse_site.access.{name}" for name in ("admin", "authentication", "permissions", "throttling")}
HTTP = {"rest_framework", "django.http", "django.shortcuts", "django.urls"}
# The client is copied to where nothing else of this project is.
CLIENT_MAY_IMPORT = {CLIENT, "numpy"} | set(sys.stdlib_module_names)
