"""The parameters of a list: the caller's, checked, and completed by the filter and order that paging needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import Method, Rows
from airflow_provider_bitrix24.rest.conditions import OPERATORS, check_conditions, check_filter_name, has_logic
from airflow_provider_bitrix24.rest.encoding import as_params, no_two_spellings, plain
from airflow_provider_bitrix24.rest.lists.filter_values import ANY_CASE
from airflow_provider_bitrix24.rest.lists.own_parameters import check_parameters
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.positional import by_name, in_order
from airflow_provider_bitrix24.rest.structured_parameters import check_structures
from airflow_provider_bitrix24.types import Params, Row

#: Ids have 19 digits at most, and Python reads no text of many thousand as a number.
_WHOLE_NUMBER = re.compile(r"\s*[0-9]{1,40}\s*")


class Listing:
    """
    A list method and the caller's parameters.

    :param method: what is known of it, under the name that is sent.
    :raises ConfigurationError: a parameter is set by the client, has two spellings, or cannot be combined with paging.
    """

    def __init__(self, method: Method, params: Params | None) -> None:
        if method.rows is None:
            raise ConfigurationError(
                "not known to be a list",
                method=method.name,
                next_step="use call, or describe its rows with Methods.adding(Method(…, rows=Rows(…)))",
            )
        self.method, self.name = method, method.name
        self.rows: Rows = method.rows
        given = by_name(as_params(params, method=self.name), method=self.name)
        check_structures(method, given)
        self.params = self._normalised(plain(given, method=self.name))
        self._check_own_parameters()
        check_filter_name(self.params, self.rows.filter, method=self.name)
        check_parameters(method, self.params)
        self._gather_filter()
        self._check_filter()
        self.id_was_added = self._select_id()
        self.lower_bound = self._take_bound() if self.rows.paging == "keyset" else 0

    def _fail(self, what: str, hint: str) -> ConfigurationError:
        return ConfigurationError(what, method=self.name, next_step=hint)

    def _normalised(self, params: dict[str, Any]) -> dict[str, Any]:
        """
        The parameters under the method's own spelling.

        Old modules read a name in any case and silently keep one of two spellings; controllers read one spelling and
        ignore every other.
        """
        rows = self.rows
        ours = (rows.filter, rows.order, rows.select, rows.sort, rows.limit, rows.cursor, "start", "filter", "order")
        spelling = {name.lower(): name for name in reversed(ours) if name}
        spelling["start"] = "start"
        no_two_spellings(params, method=self.name)
        return {spelling.get(name.lower(), name): value for name, value in params.items()}

    def _check_own_parameters(self) -> None:
        """Refuse what the client must set itself so that every row comes once."""
        rows = self.rows
        for name in {"start", rows.cursor, rows.limit} - {None}:
            if name in self.params and rows.paging != "single":
                raise self._fail(
                    f"{name!r} is set by the client to read the whole list",
                    "leave it out; the argument limit of list() shortens the list",
                )
        if rows.order_id and rows.order:
            for name, value in self.order().items():
                given = self.params.get(name)
                if given is not None and _upper(given) != _upper(value):
                    raise self._fail(
                        f"{name!r} is set by the client to {value!r}: only in order of id can a list be proven whole",
                        "leave it out, and sort the rows afterwards",
                    )

    def _gather_filter(self) -> None:
        """
        Put fields that stand beside the filter into it.

        ``user.get`` takes them for one (its page has ``UF_DEPARTMENT`` beside ``SORT``), but not beside a ``FILTER``,
        and paging by id adds that.
        """
        rows = self.rows
        if rows.paging != "keyset" or not rows.filter or not rows.sort:
            return
        not_fields = {
            str(name).upper()
            for name in (rows.filter, rows.sort, rows.order, rows.select, "ADMIN_MODE", "IMAGE_RESIZE")
        }
        fields = {name: self.params.pop(name) for name in list(self.params) if name.upper() not in not_fields}
        if fields:
            user_filter = self.params.get(rows.filter) or {}
            if not isinstance(user_filter, dict) or {name.upper() for name in user_filter} & {
                name.upper() for name in fields
            }:
                raise self._fail(
                    f"fields to filter by are both in {rows.filter!r} and beside it",
                    f"put all of them into {rows.filter}",
                )
            self.params[rows.filter] = {**fields, **user_filter}

    def _check_filter(self) -> None:
        """Refuse what portals read as no filter, or as one without the condition: every row would come back."""
        rows = self.rows
        if not rows.filter or rows.filter not in self.params:
            return
        user_filter = self.params[rows.filter]
        is_object = isinstance(user_filter, dict) or user_filter == []
        if not (is_object or (isinstance(user_filter, list) and self.method.version == 3)):
            example = '[["id", ">", 100]]' if self.method.version == 3 else '{">=ID": 100}'
            raise self._fail(f"{rows.filter!r} is not an object, but {preview(user_filter)}", f"write e.g. {example}")
        check_conditions(user_filter, "the filter", method=self.name, drops_empty_lists=rows.drops_empty_lists)

    def order(self) -> dict[str, Any]:
        """Parameters that sort by id."""
        rows = self.rows
        if not rows.order or not rows.order_id:
            return {}
        return {rows.sort: rows.order_id, rows.order: "ASC"} if rows.sort else {rows.order: {rows.order_id: "ASC"}}

    def _select_id(self) -> bool:
        """Add the id to ``select``: rows hold only selected fields, and without the id nothing can be proven."""
        rows = self.rows
        if not rows.select or rows.select not in self.params or not rows.unique_id:
            return False
        select = self.params[rows.select]
        if not isinstance(select, list) or not all(isinstance(name, str) for name in select):
            raise self._fail(f"{rows.select!r} is not a list of names", 'write e.g. ["ID", "TITLE"]')
        name = rows.filter_id or rows.order_id or rows.id_key
        if not select or name is None or {"*", name} & set(select):
            return False
        self.params[rows.select] = [*select, name]
        # Where the caller asked for it in another case, it stays in the rows.
        return name.lower() not in {selected.lower() for selected in select}

    def without_added_id(self, row: Row) -> Row:
        """The row as the caller asked for it."""
        if self.id_was_added and self.rows.id_key:
            row.pop(self.rows.id_key, None)
        return row

    def _take_bound(self) -> int:
        """Take the caller's own ``>ID`` out of the filter: the list begins there."""
        rows = self.rows
        if not rows.filter:
            return 0
        user_filter = self.params.get(rows.filter)
        if user_filter is None or user_filter == []:
            self.params.pop(rows.filter, None)
            return 0
        if not isinstance(user_filter, dict):
            raise self._fail(f"{rows.filter!r} is not an object", 'write e.g. {">=ID": 100}')
        if has_logic(user_filter):
            # Beside an OR our own condition would be one more alternative, and a bound inside it would not bind.
            if rows.fields_method != "crm.item.fields":
                raise self._fail(
                    "'logic' at the top of the filter cannot be combined with paging by id", "leave it out"
                )
            self.params[rows.filter] = {"0": user_filter}
            return 0
        bounds = self._bounds(user_filter)
        self.params[rows.filter] = {name: value for name, value in user_filter.items() if name not in bounds}
        if not self.params[rows.filter]:
            # A batch cannot carry an empty object.
            del self.params[rows.filter]
        for key, bound in bounds.items():
            if isinstance(bound, bool) or not _WHOLE_NUMBER.fullmatch(str(bound)):
                raise self._fail(f"{key!r} in the filter is not a whole number", "write e.g. 100")
            return int(bound)
        return 0

    def _bounds(self, user_filter: dict[str, Any]) -> dict[str, Any]:
        """
        Conditions of the caller that are the same as our cursor.

        Spelled in another case, one of the two would replace the other, or be dropped. Where fields are described, such
        a spelling is refused as an unknown name instead.
        """
        own = f">{self.rows.filter_id}"
        if self.rows.fields_method and self.rows.fields_method not in ANY_CASE:
            return {own: user_filter[own]} if own in user_filter else {}
        return {name: value for name, value in user_filter.items() if name.lower() == own.lower()}

    @property
    def takes_ranges(self) -> bool:
        """Whether pages can be asked for between two ids: not where the caller's filter has an upper bound."""
        rows = self.rows
        # References and the plan need to know where the id of a row is.
        known_place = rows.at is not None and rows.id_key is not None
        user_filter = self.params.get(rows.filter or "") or {}
        is_free = f"<={rows.filter_id}".lower() not in map(str.lower, user_filter)
        return bool(known_place and rows.filter_id and rows.order_id and rows.order) and is_free

    def top(self, row_id: int, up_to: int | None) -> dict[str, Any]:
        """Parameters of the page of the largest ids after an id, with nothing but the ids where there is a choice."""
        rows = self.rows
        params = self.after(row_id, up_to)
        if rows.order:
            params[rows.order] = "DESC" if rows.sort else {rows.order_id: "DESC"}
        if rows.select:
            params[rows.select] = [rows.filter_id or rows.order_id]
        return params

    def after(self, row_id: int | str, up_to: int | None = None) -> dict[str, Any]:
        """
        Parameters of the page after an id, which may be a reference to another command.

        ``start=-1`` spares the portal counting the whole list on every page ("How to Retrieve Large Volumes of Data").
        """
        rows = self.rows
        if not rows.filter or not rows.filter_id:
            raise self._fail("cannot be read by id", "describe its paging with Methods.adding")
        bounds: dict[str, int | str] = {f">{rows.filter_id}": row_id}
        if up_to is not None:
            bounds[f"<={rows.filter_id}"] = up_to
        user_filter = self.params.get(rows.filter) or {}
        return {
            **self.params,
            rows.filter: {**user_filter, **bounds},
            **self.order(),
            "start": -1,
        }

    def first(self) -> dict[str, Any]:
        """Parameters of the first page, with the portal's count where the method counts."""
        bound = {f">{self.rows.filter_id}": self.lower_bound} if self.lower_bound and self.rows.filter else {}
        if bound and self.rows.filter:
            return {**self.params, self.rows.filter: {**self.params.get(self.rows.filter, {}), **bound}, **self.order()}
        return dict(in_order({**self.params, **self.order()}, method=self.name))

    def at(self, offset: int) -> dict[str, Any]:
        """Parameters of the page that begins at an offset."""
        if self.rows.paging != "nav-params":
            return {**self.params, **self.order(), "start": offset}
        size = self.rows.page_rows
        page = {"NAV_PARAMS": {"nPageSize": size, "iNumPage": offset // size + 1}}
        params = {**self.params, **self.order(), self.rows.cursor or "PARAMS": page}
        return dict(in_order(params, method=self.name))

    def conditions(self) -> list[Any] | None:
        """The filter of a REST 3.0 list, ``[["id", ">", 100], …]``; None where no condition on the id can be added."""
        rows = self.rows
        conditions = self.params.get(rows.filter or "") or []
        if not rows.filter_id or not rows.order_id or not isinstance(conditions, list):
            return None
        return conditions if all(isinstance(condition, list) for condition in conditions) else None

    def filter_names(self) -> list[str]:
        """Field names of the caller's filter, without operators; groups are named as they are."""
        user_filter = self.params.get(self.rows.filter or "")
        return [OPERATORS.sub("", name, count=1) for name in user_filter] if isinstance(user_filter, dict) else []

    def select_names(self) -> list[str]:
        """Names of the caller's ``select`` and the id, where that was added."""
        select = self.params.get(self.rows.select or "")
        return select if isinstance(select, list) else []


def _upper(value: Any) -> Any:
    """A value with all its text in upper case: portals take ``asc`` and ``ASC`` alike."""
    if isinstance(value, Mapping):
        return {str(key).upper(): _upper(inner) for key, inner in value.items()}
    return value.upper() if isinstance(value, str) else value
