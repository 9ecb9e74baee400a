"""Arrows point down: views, admin, commands → services, selectors → pure modules | models, storage, registry.

The tables below are the architecture; a module that is not named in one is middle ground of its app and private to it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ROOT

SITE = "lakehouse_site"
# What each app may know of the others: arrows run one way. `drift.audit` is pure, and exports print its table.
APPS: dict[str, set[str]] = {
    "vectors": set(),
    "distillation": {
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
    "drift": {"vectors", "distillation"},
}
CLIENT = "lakehouse_client"
MAX_FILE_LINES = 300

# What these take and return are arrays, bytes and dataclasses; orjson, a parser without state, is as pure as numpy.
PURE = {
    "lakehouse_site.errors",
    "lakehouse_site.access.addresses",
    "lakehouse_site.access.tokens",
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
    "vectors.queries",
    "vectors.tail",
    "vectors.validation",
}
PURE_MAY_IMPORT = {"numpy", "hnswlib", "orjson", "pyarrow", "rensa", "xxhash", "zstandard"} | set(
    sys.stdlib_module_names
)

# Use cases: what other apps, views, admin and commands call.
SERVICES = {
    "vectors": {
        "duplicates",
        "exports",
        "imports",
        "indexes",
        "items",
        "maintenance",
        "merge",
        "objects",  # files in the storage, and
        "recall",
        "restore",
        "search",
        "snapshots",
        "transactions",  # durable writes: every app does these in the one way
        "upkeep",
        "writes",
    },
    "distillation": {"eval_sets", "export_reads", "exports", "figures", "freezes"},
    "drift": {"alerts", "checks", "deliveries", "monitors"},
}
# HTTP, HTML, terminal: nothing below knows them.
OUTER = {"admin", "answers", "export_admin", "export_views", "management", "pagination", "serializers", "urls", "views"}
# What an app may take from the site. Only its outer modules may speak of access and of HTTP.
SITE_FOR_ALL = {"lakehouse_site.errors", "lakehouse_site.outages"}
SITE_FOR_OUTER = {"lakehouse_site.access", "lakehouse_site.fast_lane", "lakehouse_site.http"}
# The site's own inner modules; what speaks HTTP there is for views and middleware.
SITE_INNER = {f"lakehouse_site.access.{name}" for name in ("models", "selectors", "services")} | {
    "lakehouse_site.errors"
}
SITE_OUTER = {f"lakehouse_site.access.{name}" for name in ("admin", "authentication", "permissions", "throttling")}
HTTP = {"rest_framework", "django.http", "django.shortcuts", "django.urls"}
# The client is copied to where nothing else of this project is.
CLIENT_MAY_IMPORT = {CLIENT, "numpy"} | set(sys.stdlib_module_names)


@dataclass(frozen=True)
class Import:
    """Module `source` imports `target` (dotted, as far as it is a module or a name in one)."""

    source: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def source_files() -> list[Path]:
    folders = [ROOT / SITE, ROOT / CLIENT, *(ROOT / app for app in APPS)]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def imports_of(source: str, code: str) -> Iterator[Import]:
    """Every import, also those inside functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(source, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            # "from vectors import models" and "from vectors.models import X" both name vectors.models.
            for alias in node.names:
                yield Import(source, f"{node.module}.{alias.name}", node.lineno)


def all_imports() -> list[Import]:
    return [found for path in source_files() for found in imports_of(module_name(path), path.read_text())]


def is_within(target: str, modules: set[str]) -> bool:
    return any(target == module or target.startswith(module + ".") for module in modules)


def top(name: str) -> str:
    return name.partition(".")[0]


def part(name: str) -> str:
    """Return the second part of a dotted name: the module inside its app."""
    return [*name.split("."), ""][1]


def is_inner(source: str) -> bool:
    return (top(source) in APPS and part(source) not in OUTER) or is_within(source, SITE_INNER)


def breach_of_purity(found: Import) -> bool:
    if not is_within(found.source, PURE):
        return False
    return top(found.target) not in PURE_MAY_IMPORT and not is_within(found.target, PURE)


def breach_of_layers(found: Import) -> bool:
    """An inner module knows no outer one."""
    if not is_inner(found.source):
        return False
    return (top(found.target) in APPS and part(found.target) in OUTER) or is_within(found.target, SITE_OUTER)


def breach_of_silence(found: Import) -> bool:
    """An inner module knows nothing of HTTP."""
    return is_inner(found.source) and is_within(found.target, HTTP)


def breach_between_apps(found: Import) -> bool:
    """From outside an app only its use cases and pure modules may be imported."""
    app = top(found.target)
    if app not in APPS or top(found.source) == app:
        return False
    return part(found.target) not in SERVICES[app] and not is_within(found.target, PURE)


def breach_upwards(found: Import) -> bool:
    """An app knows the apps below it, and of the site only what is listed."""
    if top(found.source) not in APPS:
        return False
    if top(found.target) == SITE:
        allowed = SITE_FOR_ALL | (SITE_FOR_OUTER if part(found.source) in OUTER else set())
        return not is_within(found.target, allowed)
    app = top(found.source)
    return top(found.target) in set(APPS) - {app} and not is_within(found.target, APPS[app])


def breach_of_independence(found: Import) -> bool:
    """The client knows nothing of the server."""
    return top(found.source) == CLIENT and top(found.target) not in CLIENT_MAY_IMPORT


RULES = [
    breach_of_purity,
    breach_of_layers,
    breach_of_silence,
    breach_between_apps,
    breach_upwards,
    breach_of_independence,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_import_breaks_the_rule(rule: object) -> None:
    assert callable(rule)

    assert [str(found) for found in all_imports() if rule(found)] == []


@pytest.mark.parametrize(
    ("source", "code", "rule"),
    [
        ("vectors.exact", "import django.db", breach_of_purity),
        ("vectors.exact", "def f():\n    from vectors.models import VectorItem", breach_of_purity),
        ("vectors.graph", "from vectors import models", breach_of_purity),
        ("lakehouse_site.errors", "import boto3", breach_of_purity),
        ("vectors.models", "from vectors.serializers import ItemSerializer", breach_of_layers),
        ("vectors.search", "from vectors import views", breach_of_layers),
        ("vectors.writes", "import vectors.management.commands.index_list", breach_of_layers),
        ("lakehouse_site.access.services", "from lakehouse_site.access import permissions", breach_of_layers),
        ("vectors.search", "from django.http import Http404", breach_of_silence),
        ("vectors.writes", "from rest_framework.exceptions import ValidationError", breach_of_silence),
        ("lakehouse_site.health", "from vectors.models import VectorIndex", breach_between_apps),
        ("lakehouse_site.health", "from vectors import rows", breach_between_apps),
        ("vectors.writes", "from lakehouse_site.problems import problem", breach_upwards),
        ("vectors.search", "from lakehouse_site.access import permissions", breach_upwards),
        ("vectors.search", "from distillation import firewall", breach_upwards),
        ("distillation.exports", "from drift import monitors", breach_upwards),
        ("lakehouse_client.answers", "from vectors.search import Hit", breach_of_independence),
        ("lakehouse_client.transport", "import httpx", breach_of_independence),
    ],
)
def test_a_breach_is_seen(source: str, code: str, rule: object) -> None:
    assert callable(rule)

    assert [found for found in imports_of(source, code) if rule(found)]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("vectors.exact", "import numpy as np\nfrom vectors.distances import Distance\nimport dataclasses"),
        ("vectors.writes", "from lakehouse_site.errors import InvalidInput\nfrom vectors.models import VectorItem"),
        ("vectors.views", "from lakehouse_site.access.permissions import Scoped\nfrom vectors.search import search"),
        ("lakehouse_site.management.commands.up", "from vectors.indexes import list_indexes"),
        ("lakehouse_client.client", "import http.client\nimport numpy as np\nfrom lakehouse_client.index import Index"),
    ],
)
def test_what_is_allowed_is_no_breach(source: str, code: str) -> None:
    assert [str(found) for found in imports_of(source, code) if any(rule(found) for rule in RULES)] == []


def test_every_pure_module_named_here_exists() -> None:
    existing = {module_name(path) for path in source_files()}

    assert PURE - existing == set()


def test_every_use_case_named_here_exists() -> None:
    existing = {module_name(path) for path in source_files()}

    assert {f"{app}.{name}" for app, names in SERVICES.items() for name in names} - existing == set()


def test_every_app_in_the_repository_is_watched() -> None:
    apps = {path.parent.name for path in ROOT.glob("*/apps.py")} - {SITE}

    assert apps == set(APPS)


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    files = [*source_files(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}
