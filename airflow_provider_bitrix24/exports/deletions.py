"""
Which rows of a table the portal has no longer, without reading all of its rows.

The rows of both sides are counted in ranges of ids. A range in which the counts agree is done; another one is split,
down to ranges that are read. What is missing there is asked for by its id: a row that was deleted answers otherwise
than one that this user may not see, or that has left the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.items import LIST
from airflow_provider_bitrix24.exceptions import ConfigurationError, Forbidden, NotFound
from airflow_provider_bitrix24.exports.tables import type_id_of

if TYPE_CHECKING:
    from airflow_provider_bitrix24.exports.sources import Source
    from airflow_provider_bitrix24.rest.client import Client

#: Into how many ranges one is split, and from how many rows on it is read: pages of 50, and 50 pages to a request.
_SPLIT, _READ, _PAGE = 8, 250, 50
#: So many rows may be gone from a small table too.
_ALWAYS_ALLOWED = 10


@dataclass
class Missing:
    """
    :param deleted: ids that the portal does not know.
    :param hidden: how many others the list does not have: this user may not see them, or the list shows them no longer.
    """

    deleted: list[int] = field(default_factory=list)
    hidden: int = 0


def can_tell_deleted(source: Source) -> bool:
    """
    Whether a row that is gone answers otherwise than one that must not be seen.

    Other methods answer the same for both, and under a filter rows leave the list without being deleted.
    """
    return type_id_of(source.method.name.lower(), source.params) is not None and not source.filter


def count_shown(client: Client, source: Source, first: int, last: int) -> int | None:
    """How many rows the list has with ids from ``first`` to ``last``; None where the portal does not say."""
    (shown,) = _replies(client, source, [(first - 1, last)])
    return None if shown.total is None else int(shown.total)


def check_share(missing: int, known: int, max_deleted_share: float, what: str = "rows") -> None:
    """:raises ConfigurationError: so many rows are missing that something else is likely to be wrong."""
    if missing > max(known * max_deleted_share, _ALWAYS_ALLOWED):
        raise ConfigurationError(
            f"{missing} of {known} {what} are missing at the portal, and none is marked as deleted: max_deleted_share "
            f"is {max_deleted_share:g}",
            next_step="look whether the user of the connection still sees all rows; then raise max_deleted_share",
        )


def missing_rows(client: Client, source: Source, known: Sequence[int]) -> Missing:
    """
    Find what is missing.

    :param known: ids of the table, in ascending order; rows that are added meanwhile have higher ones.
    """
    ranges = _split([(0, len(known))])
    to_read: list[tuple[int, int]] = []
    while ranges:
        replies = _replies(client, source, [_bounds(known, each) for each in ranges])
        differ = [each for each, reply in zip(ranges, replies, strict=True) if reply.total != each[1] - each[0]]
        to_read += [each for each in differ if each[1] - each[0] <= _READ]
        ranges = _split(each for each in differ if each[1] - each[0] > _READ)
    return _asked(client, source, _suspects(client, source, known, to_read))


def missing_among(client: Client, source: Source, known: Sequence[int]) -> Missing:
    """
    Find what is missing of ids between which the portal has others: of owners, those that have children.

    :param known: ids, in ascending order.
    """
    groups = [list(known[start : start + _READ]) for start in range(0, len(known), _READ)]
    counted = _batch(client, source, [_params(source, {"@id": group}) for group in groups])
    suspects: list[int] = []
    for group, reply in zip(groups, counted, strict=True):
        if reply.total != len(group):
            params = _params(source, {"@id": group})
            shown = {source.id_of(row) for row in client.list(source.method.name, params)}
            suspects += [number for number in group if number not in shown]
    return _asked(client, source, suspects)


def _split(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of places, each in about equal parts."""
    parts = []
    for start, end in ranges:
        count = min(_SPLIT, max(end - start, 1))
        edges = [start + (end - start) * number // count for number in range(count + 1)]
        parts += list(pairwise(edges))
    return parts


def _bounds(known: Sequence[int], places: tuple[int, int]) -> tuple[int, int]:
    """From places in the table to ids: above the first one, up to the second one."""
    start, end = places
    return (known[start] - 1 if start == 0 else known[start - 1], known[end - 1])


def _suspects(client: Client, source: Source, known: Sequence[int], to_read: list[tuple[int, int]]) -> list[int]:
    """Ids of the table that the list does not have."""
    pages = [(at, min(at + _PAGE, end)) for start, end in to_read for at in range(start, end, _PAGE)]
    bounds = [_bounds(known, each) for each in pages]
    suspects: list[int] = []
    for places, between, reply in zip(pages, bounds, _replies(client, source, bounds), strict=True):
        if reply.total is not None and reply.total > _PAGE:
            # Rows that the table does not have fill the page.
            params = _params(source, _between(source, between))
            found = client.list(source.method.name, params, version=source.method.version)
            shown = {source.id_of(row) for row in found}
        else:
            rows = reply.result["items"] if source.method.name == LIST else reply.result
            shown = {source.id_of(row) for row in rows}
        suspects += [number for number in known[places[0] : places[1]] if number not in shown]
    return suspects


def _asked(client: Client, source: Source, suspects: list[int]) -> Missing:
    """
    Ask for each by its id.

    :raises Bitrix24Error: the portal answers something else than that it is gone or must not be seen.
    """
    method = f"{source.method.name.rpartition('.')[0]}.get"
    fixed = {"entityTypeId": source.params["entityTypeId"]} if source.method.name == LIST else {}
    result = client.batch({number: (method, {**fixed, "id": number}) for number in suspects})
    missing = Missing(hidden=len(result.replies))
    for number, error in result.errors.items():
        if isinstance(error, NotFound):
            missing.deleted.append(number)
        elif isinstance(error, Forbidden):
            missing.hidden += 1
        else:
            raise error
    return missing


def _replies(client: Client, source: Source, bounds: Sequence[tuple[int, int]]) -> list[Any]:
    """The first pages of ranges, with their counts, in order."""
    return _batch(client, source, [_params(source, _between(source, between)) for between in bounds])


def _batch(client: Client, source: Source, several: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The first pages of lists, with their counts, in order."""
    commands: dict[int, tuple[str, Mapping[str, Any]]] = {
        place: (source.method.name, {**params, "start": 0}) for place, params in enumerate(several)
    }
    result = client.batch(commands)
    for error in result.errors.values():
        raise error
    return [result.replies[place] for place in commands]


def _between(source: Source, between: tuple[int, int]) -> dict[str, Any]:
    name = _id_name(source)
    return {f">{name}": between[0], f"<={name}": between[1]}


def _id_name(source: Source) -> str:
    rows = source.method.rows
    return (rows and rows.filter_id) or "id"


def _params(source: Source, conditions: Mapping[str, Any]) -> dict[str, Any]:
    rows = source.method.rows
    params = source.params_with(conditions)
    return {**params, rows.select: [_id_name(source)]} if rows is not None and rows.select else params
