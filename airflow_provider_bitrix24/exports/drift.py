"""Where the columns of a load stand in a table that is there already, whatever the portal's fields have become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.columns import fitting_name

#: Words for types of Arrow columns, as they end the name of a column beside the old one.
_WORDS = {"int64": "integer", "bool": "boolean", "date32[day]": "date", "string": "text"}
TEXT = "string"
#: The column that tells rows apart, which stays one column.
KEY = "id"


@dataclass
class Placement:
    """
    :param targets: by column of the load, its name and its Arrow type in the table; what is ignored is left out.
    :param new: names of columns that the table has not had.
    :param changed: by column whose type has changed, the column beside it that takes the values.
    :param ignored: columns that were left out.
    """

    targets: dict[str, tuple[str, str]] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def add(self, more: Placement) -> None:
        """Note what other columns of the same load have come to."""
        self.new += [name for name in more.new if name not in self.new]
        self.ignored += [name for name in more.ignored if name not in self.ignored]
        self.changed.update(more.changed)

    def kept(self) -> dict[str, Any]:
        """What a later try of the load has to know of it, as parameters."""
        return {"new": self.new, "changed": self.changed, "ignored": self.ignored}


@dataclass(frozen=True)
class DriftRules:
    """
    What is done about a field that is new, and about one whose type has changed. Nothing is ever dropped.

    :param on_new_field: ``"add"``, ``"ignore"`` or ``"fail"``.
    :param on_type_change: ``"new_column"``, ``"text"`` or ``"fail"``.
    :param labels: by column of labels, the column that it puts into words, and with which it comes and is left out.
    """

    on_new_field: str = "add"
    on_type_change: str = "new_column"
    labels: Mapping[str, str] = field(default_factory=dict)

    def place(
        self, columns: Mapping[str, str], present: Mapping[str, str], holds: Callable[[str, str], bool], table: object
    ) -> Placement:
        """
        :param columns: of the load, with their Arrow types.
        :param present: columns of the table, with their types; empty where it is not there yet.
        :param holds: whether a column of the table, by its type, holds values of an Arrow type.
        :raises ConfigurationError: the rules say that this fails.
        """
        placed = Placement()
        for name, arrow in columns.items():
            if name not in present:
                if present and not self._takes(name, table, placed):
                    continue
                placed.targets[name] = (name, arrow)
            elif holds(present[name], arrow):
                placed.targets[name] = (name, arrow)
            else:
                self._move(name, arrow, present, holds, table, placed)
        return placed

    def _takes(self, name: str, table: object, placed: Placement) -> bool:
        """Whether a column that is new is added."""
        if name.startswith("_"):
            # Those are of this package, and no fields.
            return True
        if name in self.labels:
            is_added = self.labels[name] not in placed.ignored
            (placed.new if is_added else placed.ignored).append(name)
            return is_added
        if self.on_new_field == "fail":
            raise ConfigurationError(
                f"the field {name} is new, and {table} has no column for it",
                next_step='add the column, choose fields with select, or set on_new_field="add" or "ignore"',
            )
        (placed.new if self.on_new_field == "add" else placed.ignored).append(name)
        return self.on_new_field == "add"

    def _move(
        self, name: str, arrow: str, present: Mapping[str, str], holds: Callable[[str, str], bool], table: object,
        placed: Placement,
    ) -> None:  # fmt: skip
        if name == KEY:
            raise ConfigurationError(
                f"the column {name} of {table} is {present[name]}, and the ids are {_word(arrow)}",
                next_step="change its type, or name another table",
            )
        if self.on_type_change == "fail":
            raise ConfigurationError(
                f"the column {name} of {table} is {present[name]}, and the field is {_word(arrow)} now",
                next_step='leave the field out with select, or set on_type_change="new_column" or "text"',
            )
        if self.on_type_change == "text":
            arrow = TEXT
            if holds(present[name], arrow):
                placed.targets[name] = (name, arrow)
                placed.changed[name] = name
                return
        wanted = f"{name}__{_word(arrow)}"
        beside = fitting_name(wanted, wanted)
        if beside in present and not holds(present[beside], arrow):
            raise ConfigurationError(
                f"the column {name} of {table} is {present[name]}, the field is {_word(arrow)} now, and {beside} is "
                f"{present[beside]}",
                next_step="rename that column, or leave the field out with select",
            )
        placed.targets[name] = (beside, arrow)
        placed.changed[name] = beside


def _word(arrow: str) -> str:
    return _WORDS.get(arrow) or ("decimal" if arrow.startswith("decimal") else "datetime")
