"""All pages: listed by purpose, with links that lead somewhere, and short examples that are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drift.psi import noise_p95
from tests.docs.pages import DOCS, anchors_of, links_of, page, prints, split_commands, steps_of
from tests.docs.shell import Shell
from tests.processes import ROOT

INDEX = DOCS / "index.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])


def test_the_index_lists_every_page() -> None:
    listed = {(DOCS / link).resolve() for link in links_of(INDEX.read_text())}
    written = {path.resolve() for path in [*DOCS.rglob("*.md"), *DOCS.rglob("*.yaml")]} - {INDEX.resolve()}

    assert {str(path) for path in written - listed} == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_and_anchors_lead_somewhere(path: Path) -> None:
    dead = []
    for link in links_of(path.read_text()):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            dead.append(link)

    assert dead == []


def test_headings_become_anchors_as_github_makes_them(tmp_path: Path) -> None:
    written = tmp_path / "page.md"
    written.write_text("# What is `x`?\n\n```\n# no heading\n```\n## A [link](b.md), too\n## A\n## A\n")

    assert anchors_of(written) == {"what-is-x", "a-link-too", "a", "a-1"}


def test_commands_of_a_block_are_told_apart() -> None:
    text = "curl -s x \\\n  -d '{\n  }'\nmake up  # it's a comment"

    assert split_commands(text) == ["curl -s x    -d '{\n  }'", "make up  # it's a comment"]
    with pytest.raises(ValueError, match="within a command"):
        split_commands("curl 'x")


def test_what_is_shown_is_compared_wherever_lines_break() -> None:
    assert prints('{"a": 1,\n "b": …}', '{"a":1,"b":17}')
    assert not prints('{"a": 1,\n "b": …}', '{"a":2,"b":17}')


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_commands_of_explanations_print_what_they_say(shell: Shell) -> None:
    shell.run("make up")
    for name in ("recall", "why-psi-needs-sample-sizes"):
        shell.follow(steps_of(page(f"explanation/{name}.md")))


def test_what_chance_brings_is_as_the_page_says() -> None:
    text = page("explanation/why-psi-needs-sample-sizes.md")
    rows = re.findall(r"^\| ([\d,]+) \| ([\d.]+) \|$", text, re.MULTILINE)

    assert len(rows) == 6
    for size, shown in rows:
        n = int(size.replace(",", ""))
        assert f"{noise_p95(10, n, n):.3f}" == shown
    assert noise_p95(10, 338, 338) > 0.1 > noise_p95(10, 339, 339)
