"""Files of the portal: what was uploaded into fields of objects and to the drive."""

from __future__ import annotations


class Files:
    """Names and bytes by id; a file once uploaded stays."""

    def __init__(self) -> None:
        self._files: dict[int, tuple[str, bytes]] = {}

    def __contains__(self, file_id: int) -> bool:
        return file_id in self._files

    def add(self, name: str, content: bytes) -> int:
        file_id = len(self._files) + 1
        self._files[file_id] = (name, content)
        return file_id

    def get(self, file_id: int) -> tuple[str, bytes] | None:
        return self._files.get(file_id)
