"""The files for operations name what exists: commands, settings, folders. (No container is built here.)"""

from __future__ import annotations

import configparser
import re
import shlex
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from lakehouse_site.environment import VARIABLES
from tests.architecture import APPS, SITE
from tests.processes import ROOT

FILES = (
    "Dockerfile",
    "compose.yaml",
    "deploy/lakehouse.service",
    "deploy/lakehouse-worker.service",
    "deploy/nginx.conf",
    "docs/how-to/deploy.md",
)
NOT_READ_BY_US = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_setting_they_name_is_one(name: str) -> None:
    named = set(re.findall(r"\bLAKEHOUSE_[A-Z0-9_]+\b", (ROOT / name).read_text()))

    assert named - {variable.name for variable in VARIABLES} == set()


@pytest.mark.parametrize("name", FILES)
def test_every_command_they_run_is_one(name: str) -> None:
    text = (ROOT / name).read_text()
    named = re.findall(r"manage\.py\W+([a-z_]+)", text.replace('", "', " "))

    assert set(named) - set(get_commands()) == set()


def test_the_image_has_every_folder_the_service_needs() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {shlex.split(line)[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert copied == {SITE, *APPS, "manage.py", "demo", "requirements.txt"}
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_does_not_run_as_root_and_looks_after_its_health() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert text.rindex("USER lakehouse") > text.rindex("COPY ")
    assert "'/health'" in text
    assert text.rstrip().endswith('CMD ["python", "manage.py", "serve"]')


def test_compose_gives_the_service_what_it_must_have_and_shows_it_to_this_machine_only() -> None:
    services = compose()["services"]

    environment = services["web"]["environment"]
    known = {variable.name for variable in VARIABLES} | NOT_READ_BY_US
    assert set(environment) - known == set()
    assert "${LAKEHOUSE_AUTH_TOKEN:?" in environment["LAKEHOUSE_AUTH_TOKEN"]  # without it nothing starts
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert services["s3"]["profiles"] == ["s3"]
    assert services["web"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["worker"]["command"] == ["python", "manage.py", "worker"]
    assert services["worker"]["environment"] == environment
    assert environment["LAKEHOUSE_WORKER"] == "0"
    named = {mount.partition(":")[0] for service in services.values() for mount in service["volumes"]}
    assert named == set(compose()["volumes"])


def section_of(name: str) -> configparser.SectionProxy:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "deploy" / name)
    return unit["Service"]


def test_the_unit_serves_ends_in_good_order_and_is_hardened() -> None:
    service, worker = (section_of(name) for name in ("lakehouse.service", "lakehouse-worker.service"))

    assert service["ExecStart"].endswith("manage.py serve --quiet")
    assert (service["KillMode"], service["User"]) == ("mixed", "lakehouse")
    assert worker["ExecStart"].endswith("manage.py worker")
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    own = {"ExecStart", "ExecStartPre", "Environment", "KillMode", "RestartSec"}
    assert {key: text for key, text in worker.items() if key not in own} == {
        key: text for key, text in service.items() if key not in own
    }
