"""The worlds of the chaos tests: the database is that of the run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.world import Grounds, Storage, World
from tests.environment import postgres_url
from tests.s3 import S3Endpoint


@pytest.fixture(scope="session")
def grounds(
    migrated_template: tuple[Path, str | None], tmp_path_factory: pytest.TempPathFactory, s3: S3Endpoint
) -> Iterator[Grounds]:
    folder, template_url = migrated_template
    grounds = Grounds(
        tmp_path_factory.mktemp("chaos"),
        postgres_url(),
        s3,
        sqlite_template=folder if template_url is None else None,
        postgres_template=template_url.rsplit("/", 1)[1] if template_url else None,
    )
    yield grounds
    grounds.close()


@pytest.fixture
def make_world(grounds: Grounds) -> Callable[[Storage], World]:
    """A function that returns the run's database with one kind of storage."""
    return lambda storage: World(grounds, "postgres" if postgres_url() else "sqlite", storage)


@pytest.fixture
def seed() -> int:
    """What a scenario draws from; shown when it fails."""
    chosen = random.SystemRandom().randrange(2**32)
    print(f"seed {chosen}")  # noqa: T201
    return chosen
