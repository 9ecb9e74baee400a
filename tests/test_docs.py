"""The README's commands, run as they stand there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import CodeType

import orjson
import pytest

from tests.conftest import MakeServer
from tests.docs.pages import fenced_blocks
from tests.processes import ROOT, Server

README = (ROOT / "README.md").read_text()
DEMO_ITEMS = ROOT / "demo" / "debian_packages" / "items.jsonl"
LINK = re.compile(r"\]\(([^)#]+)\)")


def indented_blocks(text: str) -> list[str]:
    """Return the code blocks of a Markdown text, without their indentation."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("    "):
            blocks[-1].append(line[4:])
        elif blocks[-1] and line.strip():
            blocks.append([])
        elif blocks[-1]:
            blocks[-1].append("")
    return ["\n".join(block).strip() for block in blocks if block]


def run_shell(script: str, base_url: str) -> str:
    """Run a block in bash, with the address of the test's server in the place of the documented one."""
    script = script.replace("http://127.0.0.1:8000", base_url)
    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.slow
def test_the_readme_commands_do_what_it_says(make_server: MakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server = make_server()
    server.manage("up", "--no-serve")
    demo, own, tables = [block for block in indented_blocks(README) if "curl" in block]
    commands, expected = own.split("\n\n")
    load_and_query, rows = tables.split("\n\n")

    results = orjson.loads(run_shell(demo, server.base_url))["results"]
    answers = run_shell(commands, server.base_url)
    queried = run_shell(load_and_query, server.base_url)
    exec(_python(server.base_url), {})  # noqa: S102

    assert len(results) == 3
    assert all(result["metadata"]["summary"] for result in results)
    assert answers.endswith("".join(line.strip() for line in expected.splitlines()))
    assert queried.endswith(rows + "\n")
    assert capsys.readouterr().out == "2\n"


def _python(base_url: str) -> CodeType:
    (block,) = fenced_blocks(README, "python")
    return compile(block.replace("http://127.0.0.1:8000", base_url), "README.md", "exec")


@pytest.mark.slow
def test_the_readme_management_commands_run(idle_server: Server, tmp_path: Path) -> None:
    idle_server.manage("index_create", "new", "--dimension", "384")
    demo = ROOT / "demo" / "debian_packages"
    (block,) = [block for block in indented_blocks(README) if "index_create" in block]
    for line in block.splitlines():
        arguments = line.removeprefix(".venv/bin/python manage.py ").split()
        files = {name: str(demo / name) for name in ("vectors.npy", "items.jsonl")}
        files["docs.lhv1"] = str(tmp_path / "docs.lhv1")
        listed = idle_server.manage(*[files.get(argument, argument) for argument in arguments]).stdout

    assert [(index["name"], index["count"]) for index in orjson.loads(listed)] == [("docs", 2000), ("new", 0)]


@pytest.mark.slow
def test_the_readme_makes_a_training_set_and_measures_drift(idle_server: Server, tmp_path: Path) -> None:
    blocks = [block for block in indented_blocks(README) if "export_sft" in block or "measure_drift" in block]
    for line in "\n".join(blocks).splitlines():
        arguments = line.removeprefix(".venv/bin/python manage.py ").split()
        folder = str(tmp_path / "training")
        printed = idle_server.manage(*[folder if word == "training" else word for word in arguments]).stdout

    assert len(blocks) == 2
    assert "psi" in printed.lower()
    assert len((tmp_path / "training" / "train.jsonl").read_text().splitlines()) == 142


@pytest.mark.slow
def test_the_commands_of_the_page_on_backups_run(idle_server: Server, tmp_path: Path) -> None:
    idle_server.manage("index_create", "docs", "--dimension", "384")
    idle_server.manage(
        "index_import", "docs", str(ROOT / "demo/debian_packages/vectors.npy"), "--items", str(DEMO_ITEMS)
    )
    page = (ROOT / "docs" / "how-to" / "back-up-and-restore.md").read_text()
    commands = re.findall(r"^ +\.venv/bin/python manage\.py ([^#\n]+)", page, re.MULTILINE)

    for command in commands:
        if "…" not in command:
            idle_server.manage(*command.replace("docs.lhv1", str(tmp_path / "docs.lhv1")).split())

    listed = orjson.loads(idle_server.manage("index_list", "--json").stdout)
    assert len(commands) >= 10
    assert {index["name"]: index["count"] for index in listed} == dict.fromkeys(
        ("docs", "docs-yesterday", "docs-again"), 2000
    )


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]), ids=lambda page: page.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        link
        for link in LINK.findall(page.read_text())
        if "://" not in link and not (page.parent / link).exists() and not (page.parent / f"{link}.md").exists()
    ]

    assert missing == []


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) <= 150
