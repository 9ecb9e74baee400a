"""The files a worker may read through pyiceberg: those that were listed for it, by the names the table has for them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile


class _ListedFile(InputFile):
    def __init__(self, location: str, path: str) -> None:
        super().__init__(location)
        self._path = Path(path)

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.exists()

    def open(self, seekable: bool = True) -> InputStream:
        return io.FileIO(self._path, "rb")


class ListedFiles(FileIO):
    """Reads `files`, local path by location, and writes nothing."""

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__()
        self._files = files

    def new_input(self, location: str) -> InputFile:
        if location not in self._files:
            raise FileNotFoundError(location)
        return _ListedFile(location, self._files[location])

    def new_output(self, location: str) -> OutputFile:
        raise PermissionError(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        raise PermissionError(str(location))
