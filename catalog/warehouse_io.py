"""A warehouse's files for pyiceberg: every name it asks for is confined to it, and nothing is overwritten."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import IO, Any

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from catalog.errors import BadCatalogRequest
from catalog.models import Warehouse
from catalog.warehouse_copies import size_of
from catalog.warehouse_files import check_inside, delete_file, open_file, save_file


class _WarehouseInput(InputFile):
    def __init__(self, warehouse: Warehouse, location: str) -> None:
        super().__init__(check_inside(warehouse, location))
        self._warehouse = warehouse

    def __len__(self) -> int:
        return size_of(self._warehouse, self.location)

    def exists(self) -> bool:
        try:
            return len(self) >= 0
        except BadCatalogRequest:
            return False

    def open(self, seekable: bool = True) -> InputStream:
        return open_file(self._warehouse, self.location)


class _NewFile(io.RawIOBase):
    """Bytes that become a file of the warehouse when it is closed, as a whole or not at all."""

    def __init__(self, warehouse: Warehouse, location: str) -> None:
        self._warehouse = warehouse
        self._location = location
        self._scratch: IO[bytes] = tempfile.NamedTemporaryFile(prefix="lakehouse-")  # noqa: SIM115

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._scratch.write(data)

    def tell(self) -> int:
        return self._scratch.tell()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        with self._scratch as scratch:
            scratch.flush()
            save_file(self._warehouse, self._location, Path(scratch.name))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:  # half a file is none
            super().close()
            self._scratch.close()


class _WarehouseOutput(OutputFile):
    def __init__(self, warehouse: Warehouse, location: str) -> None:
        super().__init__(check_inside(warehouse, location))
        self._warehouse = warehouse

    def __len__(self) -> int:
        return len(self.to_input_file())

    def exists(self) -> bool:
        return self.to_input_file().exists()

    def to_input_file(self) -> InputFile:
        return _WarehouseInput(self._warehouse, self.location)

    def create(self, overwrite: bool = False) -> OutputStream:
        return _NewFile(self._warehouse, self.location)


class WarehouseIO(FileIO):
    """Reads and writes files of one warehouse."""

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__()
        self._warehouse = warehouse

    def new_input(self, location: str) -> InputFile:
        return _WarehouseInput(self._warehouse, location)

    def new_output(self, location: str) -> OutputFile:
        return _WarehouseOutput(self._warehouse, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        delete_file(self._warehouse, location if isinstance(location, str) else location.location)
