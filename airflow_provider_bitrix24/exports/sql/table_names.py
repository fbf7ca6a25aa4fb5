"""Names of tables, as the author writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import required
from airflow_provider_bitrix24.rest.message_parts import preview

_EXAMPLE = "name it as crm_deals or schema.crm_deals"
#: Postgres cuts what is longer.
_MOST_BYTES = 63


@dataclass(frozen=True)
class TableName:
    """A table, with its schema where the author has named one."""

    schema: str | None
    name: str

    def beside(self, name: str) -> TableName:
        """Another table of the same schema."""
        return TableName(self.schema, name)

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


def table_name(value: Any, name: str) -> TableName:
    """
    A table as the author names it, ``crm_deals`` or ``schema.crm_deals``.

    :param name: the argument, for messages.
    :raises ConfigurationError: it is no such name.
    """
    text = required(value, name)
    parts = text.split(".") if isinstance(text, str) else []
    if not all(part.strip() == part and part for part in parts) or len(parts) not in (1, 2):
        raise ConfigurationError(f"{name} is {preview(text)}", next_step=_EXAMPLE)
    if "\x00" in text or any(len(part.encode()) > _MOST_BYTES for part in parts):
        raise ConfigurationError(f"{name} has a name that databases cut, {preview(text)}", next_step="name it shorter")
    return TableName(parts[0] if len(parts) == 2 else None, parts[-1])
