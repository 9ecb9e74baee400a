"""Arrows point down: views, admin, commands → services, selectors → pure modules | models, storage, registry.

The tables of `architecture.py` say which module is what.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture import (
    APPS,
    CLIENT,
    CLIENT_MAY_IMPORT,
    HTTP,
    MAX_FILE_LINES,
    OUTER,
    PURE,
    PURE_MAY_IMPORT,
    SERVICES,
    SITE,
    SITE_FOR_ALL,
    SITE_FOR_OUTER,
    SITE_INNER,
    SITE_OUTER,
)
from tests.processes import ROOT


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
