"""Pictures of every kind of page, in light and dark, on a desktop and on a phone.

    .venv/bin/python -m scripts.screenshots pictures/

starts a server of its own with a little of everything in a temporary directory. `--only index` takes the pages whose
address contains a word.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.browser.conftest import sign_in
from tests.browser.visiting import DESKTOP, END_TRANSITIONS, SCHEMES, SIZES, Visitor, crawl, running_browser
from tests.filled import add_boss, fill
from tests.processes import Server, environment_for, run_manage

PARTS = {
    "admin": ("/admin/", "/admin/", "logout|jsi18n"),
    "api": ("/", "/v1/", "/v1/schema|/files/|/acknowledge|/discard|/release|/retire"),
}
MOST_PIXELS = 4_000
"""A picture is cut off below; some lists are long."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--only", default="", help="a word in the address")
    arguments.add_argument("--part", choices=sorted(PARTS), help="one part of the site")
    wanted = arguments.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), None, {"LAKEHOUSE_WORKER": "1"})
        run_manage("migrate", "--verbosity", "0", environment=environment_for(Path(folder), None))
        server.start()
        try:
            fill(server)
            add_boss(server)
            for path in take(server, wanted.folder, wanted.only, [wanted.part] if wanted.part else sorted(PARTS)):
                print(path)
        finally:
            server.kill()


def take(server: Server, folder: Path, only: str, parts: list[str]) -> Iterator[Path]:
    with running_browser() as browser:
        visitor = Visitor(browser, server.base_url)
        sign_in(visitor)
        for start, inside, leave_out in (PARTS[part] for part in parts):
            for address in crawl(visitor, start, inside, leave_out):
                if only in address:
                    yield from take_page(visitor, folder, address)


def take_page(visitor: Visitor, folder: Path, address: str) -> Iterator[Path]:
    name = re.sub(r"[^A-Za-z0-9]+", "-", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{40}", "x", address)).strip("-")
    for size, viewport in SIZES.items():
        visitor.page.set_viewport_size(viewport)
        for scheme in SCHEMES:
            visitor.page.emulate_media(color_scheme=scheme)
            visitor.page.evaluate(END_TRANSITIONS)
            height = min(MOST_PIXELS, int(visitor.page.evaluate("document.documentElement.scrollHeight")))
            path = folder / f"{name or 'root'}.{size}.{scheme}.png"
            clip = {"x": 0.0, "y": 0.0, "width": float(viewport["width"]), "height": float(height)}
            visitor.page.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]
            yield path
    visitor.page.emulate_media(color_scheme="light")
    visitor.page.set_viewport_size(DESKTOP)


if __name__ == "__main__":
    main()
