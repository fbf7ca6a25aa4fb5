"""
The folder of one load: part files that are whole, and what says so.

``<destination>/load=<name>/`` holds ``part-00001-3f9a….parquet`` and so on, ``_manifest.json``, and at the end
``_SUCCESS``: a reader that waits for it, as those of Hadoop's files do, never sees half a load. Such readers
pass over names that begin with an underscore. A part is put under its final name, and counts as soon as
``_part-00001.json`` stands beside it: object storage cannot rename.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.execution.storage import make_folder, put_file
from airflow_provider_bitrix24.exports.parts import Part, parts_in_order

_SIDECAR = re.compile(r"_part-(\d{5})\.json")
SUCCESS, MANIFEST, PLAN = "_SUCCESS", "_manifest.json", "_load.json"


class LoadFolder:
    """
    :param folder: an ``ObjectStoragePath``, ``<destination>/load=<name>``.
    """

    def __init__(self, folder: Any) -> None:
        self.path = folder

    def begin(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the plan of the first try, or return it: a later try goes on under the same window."""
        kept = self._read(PLAN)
        if kept is not None:
            return dict(kept)
        make_folder(self.path)
        self._write(PLAN, plan)
        return dict(plan)

    @property
    def is_published(self) -> bool:
        return self._read(MANIFEST) is not None and bool((self.path / SUCCESS).exists())

    def manifest(self) -> dict[str, Any]:
        return dict(self._read(MANIFEST) or {})

    def parts(self) -> list[Part]:
        """
        The parts that earlier tries have put, in their order.

        :raises ConfigurationError: two processes wrote them.
        """
        numbers = sorted(int(found[1]) for name in self._names() if (found := _SIDECAR.fullmatch(name)))
        kept = [self._read(f"_part-{number:05}.json") for number in numbers]
        # What a crash has left unreadable stands for a part that was not put.
        return parts_in_order((value for value in kept if value is not None), self.path)

    def put(self, file: Path, part: Part) -> None:
        """Put a part that is whole in a file of this worker."""
        put_file(file, self.path / part.name)
        self._write(f"_part-{part.number:05}.json", asdict(part))

    def publish(self, manifest: Mapping[str, Any]) -> None:
        """Make the load visible: nothing is written to it after this."""
        self._write(MANIFEST, manifest)
        (self.path / SUCCESS).write_bytes(b"")

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self.path.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _read(self, name: str) -> Any:
        with suppress(FileNotFoundError, ValueError):
            return json.loads((self.path / name).read_text())
        return None

    def _write(self, name: str, value: Any) -> None:
        write_json(self.path / name, value)


def write_json(path: Any, value: Any) -> None:
    """Put a small JSON document."""
    with tempfile.NamedTemporaryFile(prefix="bitrix24-") as spool:
        spool.write(json.dumps(value, ensure_ascii=False).encode())
        spool.flush()
        put_file(Path(spool.name), path)
