"""
The texts of codes and ids, as the portal's directories have them: small reads, each done once in a task.

Sources: pages of ``crm.status.list``, ``crm.category.list``, ``user.get``, ``department.get``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_bitrix24.exceptions import Bitrix24Error

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

#: What one answer of ``user.get`` holds.
_PAGE = 50
#: Each funnel has a directory of its own: ``DEAL_STAGE``, ``DEAL_STAGE_9``, ``DYNAMIC_128_STAGE_10``.
_FUNNEL = re.compile(r"(?<=_STAGE)_\d+$")


@dataclass(frozen=True)
class Dimension:
    """
    Where the texts of a column come from.

    :param kind: ``"choice"`` is the field's own list.
    :param key: of statuses, their directory; of funnels, the kind of item.
    """

    kind: Literal["choice", "status", "category", "user", "department"]
    key: str = ""


class Dimensions:
    """Texts by code or id. A read is done when its first text is wanted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._directories: dict[str, dict[str, str]] | None = None
        self._whole: dict[Dimension, dict[str, str]] = {}
        #: Users that have been asked for; None where the portal does not show one, or has no name of it.
        self._users: dict[str, str | None] = {}

    def texts(self, dimension: Dimension, keys: Iterable[str]) -> Mapping[str, str | None]:
        """
        The texts of codes or ids; what the portal does not have is left out, or None.

        :raises Bitrix24Error: the portal refuses the directory.
        """
        if dimension.kind == "user":
            self._ask_for_users(sorted({key for key in keys if key not in self._users}, key=int))
            return self._users
        if dimension not in self._whole:
            self._whole[dimension] = self._read(dimension)
        return self._whole[dimension]

    def _read(self, dimension: Dimension) -> dict[str, str]:
        if dimension.kind == "status":
            return self._statuses(dimension.key)
        if dimension.kind == "category":
            rows = self._client.list("crm.category.list", {"entityTypeId": int(dimension.key)})
            return {str(row["id"]): str(row["name"]) for row in rows if row.get("name")}
        rows = self._client.list("department.get")
        return {str(row["ID"]): str(row["NAME"]) for row in rows if row.get("NAME")}

    def _statuses(self, directory: str) -> dict[str, str]:
        """The codes of a directory; of stages, those of all funnels of a kind, which have codes of their own."""
        if self._directories is None:
            self._directories = {}
            for row in self._client.list("crm.status.list"):
                if row.get("NAME"):
                    own = self._directories.setdefault(_FUNNEL.sub("", str(row["ENTITY_ID"])), {})
                    code, text = str(row["STATUS_ID"]), str(row["NAME"])
                    # Two texts of one code: nobody says which is meant.
                    own[code] = text if own.get(code, text) == text else ""
        return {code: text for code, text in self._directories.get(_FUNNEL.sub("", directory), {}).items() if text}

    def _ask_for_users(self, ids: list[str]) -> None:
        pages = [ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE)]
        select = ["ID", "NAME", "LAST_NAME"]
        params = [{"FILTER": {"@ID": [int(number) for number in page]}, "select": select} for page in pages]
        # The filter is checked below, by what it lets through.
        result = self._client.batch({at: ("user.get", each) for at, each in enumerate(params)}, check_fields=False)
        for error in result.errors.values():
            raise error
        for at, page in enumerate(pages):
            found = {str(row["ID"]): row for row in result.replies[at].result}
            if not found.keys() <= set(page):
                raise Bitrix24Error("the answer has users that were not asked for", method="user.get")
            for number in page:
                row = found.get(number, {})
                words = (str(row.get(name) or "").strip() for name in ("NAME", "LAST_NAME"))
                self._users[number] = " ".join(filter(None, words)) or None
