"""The parts of a load: what is durable of it, and what a retry does not read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.misfits import Misfits


@dataclass(frozen=True)
class Part:
    """
    One part.

    :param name: of its file, which no other part has.
    :param after: the id that the part before ends with; None in the first one, and where rows have no ids.
    :param columns: the types of its columns.
    :param misfits: values, and those that did not fit or were rounded, by column.
    """

    number: int
    name: str
    rows: int
    bytes: int
    sha256: str
    after: int | None
    first_id: int | None
    last_id: int | None
    columns: Mapping[str, str]
    misfits: Misfits


class PartStore(Protocol):
    """Where the parts of one load are kept: a folder, or a table of a database."""

    def parts(self) -> list[Part]:
        """The parts that earlier tries have put, in their order."""

    def put(self, file: Path, part: Part) -> None:
        """Put a part that is whole in a file of this worker."""


def parts_in_order(kept: Iterable[Any], load: object) -> list[Part]:
    """
    Parts that were kept as JSON.

    :param load: named where they do not fit together.
    :raises ConfigurationError: two processes wrote them.
    """
    parts = [Part(**{**value, "misfits": Misfits(**value["misfits"])}) for value in kept]
    last: int | None = None
    for place, part in enumerate(parts, start=1):
        if part.number != place or part.after != last:
            raise ConfigurationError(
                f"another process of this task writes the same load, {load}",
                next_step="end one of them, and clear the task: it begins a load of its own",
            )
        last = part.last_id
    return parts
