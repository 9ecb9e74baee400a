from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.test import override_settings

from catalog import namespaces, warehouses
from catalog.callers import SYSTEM
from catalog.models import Warehouse
from lakehouse_site.access import selectors
from tests.catalog.protocol_client import Protocol


@pytest.fixture
def warehouse(transactional_db: None, tmp_path: Path) -> Iterator[Warehouse]:
    """The default warehouse, on a disk of this test alone, with the namespace `ns` in it; commits are real."""
    held = {
        **storages.backends,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "objects")},
        },
    }
    selectors.forget()
    with override_settings(STORAGES=held):
        found = warehouses.default_warehouse()
        namespaces.create_namespace(warehouse=found, levels=["ns"], caller=SYSTEM)
        yield found
    selectors.forget()


@pytest.fixture
def protocol(warehouse: Warehouse) -> Protocol:
    """A client of the protocol, on the default warehouse."""
    return Protocol()
