"""Up to when the loads of a destination have taken what was changed: ``_bitrix24.json`` beside their folders."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.load_folder import write_json
from airflow_provider_bitrix24.exports.windows import moment_of

FILE = "_bitrix24.json"


class Watermarks:
    """
    :param root: the destination.
    :param key: of the source: another filter has a watermark of its own.
    """

    def __init__(self, root: Any, key: str) -> None:
        self._path, self._key = root / FILE, key

    def get(self) -> str | None:
        """The portal's time at which the last load began; None before the first one."""
        kept = self._all().get(self._key)
        return None if kept is None else str(kept["watermark"])

    def move(self, watermark: str, load: str) -> None:
        """Move it forward; a load that ends late never moves it back."""
        every = self._all()
        present = every.get(self._key)
        if present is None or moment_of(present["watermark"]) < moment_of(watermark):
            write_json(self._path, {**every, self._key: {"watermark": watermark, "load": load}})

    def _all(self) -> dict[str, Any]:
        with suppress(FileNotFoundError):
            text = self._path.read_text()
            try:
                return dict(json.loads(text))
            except ValueError:
                raise ConfigurationError(
                    f"{self._path} is not readable",
                    next_step='fix it, or delete it: the next load with window="watermark" takes every row',
                ) from None
        return {}
