"""
What is known of Bitrix24's methods: whether a call may be repeated, where its rows are, how they are paged.

The facts are in the tables ``methods.txt`` and ``promised_results.txt`` beside this file; their heads name the source.
``Methods.find`` takes every name: one that is not in the table counts as a read if it ends in ``.get``, ``.list``,
``.fields`` or the like, and otherwise as a write that must not be repeated. Users add or correct methods with
``Methods.adding``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast, get_args

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.types import Params

#: What a call does when it is sent twice. ``read``: changes nothing. ``harmless``: leaves the same state as when it is
#: sent once (delete, pay, an update with absolute values). ``never``: must not be sent again if the answer was lost.
Repeat: TypeAlias = Literal["read", "harmless", "never"]

#: How a list is read to its end.
#:
#: ``keyset``: by ``>id`` and ``start=-1``. ``start``: by offset. ``single``: all rows in one answer.
#: ``v3``: by ``pagination`` of REST 3.0. ``limit-offset``, ``last-id``, ``page``: by the parameters ``Rows.limit`` and
#: ``Rows.cursor``. ``nav-params``: by page number, ``NAV_PARAMS`` in ``Rows.cursor``. ``unknown``: one answer, and
#: it is not documented whether a full page is the end.
Paging: TypeAlias = Literal[
    "keyset", "start", "single", "v3", "limit-offset", "last-id", "page", "nav-params", "unknown"
]

#: Where repeating depends on what is sent, see ``Method.repeat_for``.
Condition: TypeAlias = Literal["multifields", "queue"]

#: What a method may promise, see :attr:`Method.promises`.
_RESULTS = ("true", "true|false", "id", "object", "nothing")

#: Fields of contacts, companies and leads that hold many values, each with an id of its own.
_MULTIFIELDS = frozenset({"FM", "PHONE", "EMAIL", "WEB", "IM", "LINK"})


@dataclass(frozen=True, slots=True)
class Rows:
    """
    How a list method answers and pages. The defaults are what is assumed of an unknown list.

    Source: method pages of the REST documentation; "How to Retrieve Large Volumes of Data", "Choosing a strategy".
    """

    #: Dotted key of the rows below ``result``: ``"items"``; empty where ``result`` is the list itself.
    #: None: not known, so the rows are the only list in ``result``.
    at: str | None = None
    #: The rows are an object keyed by id (``[]`` when there are none).
    keyed_by_id: bool = False
    #: The rows are plain values, not objects.
    of_values: bool = False
    #: Key of the id in a row. None: not known if ``unique_id`` (``ID`` or ``id`` then), else there is none.
    id_key: str | None = None
    #: False: rows cannot be distinguished, so a list that is read by ``start`` cannot be proven whole.
    unique_id: bool = True
    #: Key of the id in the filter, without an operator. None: not known to be filtered by id.
    filter_id: str | None = None
    #: Key of the id in the order. None: not known to be sorted by id.
    order_id: str | None = None
    #: Names of the parameters as the method spells them. None: it has no such parameter.
    filter: str | None = None
    order: str | None = None
    select: str | None = None
    #: Parameter that names the field to sort by, where ``order`` takes only ``ASC`` or ``DESC`` (``user.get``).
    sort: str | None = None
    #: Parameter for the number of rows in a page, where it can be chosen.
    limit: str | None = None
    #: Parameter that asks for the next page.
    cursor: str | None = "start"
    paging: Paging = "start"
    #: Rows of a full page.
    page_rows: int = 50
    #: False: ``total`` is not the number of rows.
    total_is_true: bool = True
    #: Controllers read only the exact spelling of a parameter; old modules read any case.
    case_sensitive: bool = False
    #: The method silently drops unknown filter keys, so that everything comes back, and unknown names in ``select``, so
    #: that rows come back without them. Both are checked by ``fields_method`` where there is one.
    drops_unknown_filters: bool = False
    #: Method that describes the fields for ``filter`` and ``select``.
    fields_method: str | None = None

    def __post_init__(self) -> None:
        _check("paging", self.paging, get_args(Paging))

    @property
    def drops_empty_lists(self) -> bool:
        """
        Whether a condition with an empty list of values is left out, so that everything comes back.

        Source: the server source of old modules, users and tasks; controllers say what they do, but for CRM items.
        """
        is_of_items = self.fields_method == "crm.item.fields"
        return self.drops_unknown_filters or not self.case_sensitive or is_of_items


@dataclass(frozen=True, slots=True)
class Method:
    """
    One method of one REST version. The defaults are those of an unknown write.

    :param name: as the documentation spells it; names compare without case.
    :param rows: None if the method is not a list.
    :param scope: the permission that it needs; None if it needs none, or if that is not documented.
    :param lookup: method that reads, with the same id parameters, the object that this one deletes.
    :param lookup_may_be_empty: it answers nothing both for an object that is gone and for one that must not be seen.
    :param must_be_true: anything but exactly ``true`` is a failure (older servers answer ``false`` with HTTP 200).
    :param fails_if: what a good answer looks like that is a failure: ``"STATUS!=SUCCESS"``: ``STATUS`` of the result is
        another text; ``"failed"``: ``failed`` of the result is not empty, so it was done in part.
    :param promises: the result of a write that did its work: ``"true"``, ``"id"`` (a number or a text), ``"object"``,
        ``"task=object"`` (an object under the key ``task``), ``"nothing"`` (null or an empty list), or ``"true|false"``
        where ``false`` says that it was so already. Where ``false`` comes instead, it was not done; where something
        empty comes, it may have been done. None: any result is taken.
    :param null_fails: ``null`` too says that it was not done.
    :param max_values: a parameter and how many values of it the method takes: it silently ignores those after them.
    :param max_hits: how many hits of each kind the method answers: it silently leaves out those after them.
    :param done: what a delete answers on success; to be copied before it is returned.
    :param repeat_unless: the parameters with which a call is an exception to ``repeat``, see :meth:`repeat_for`.
    """

    name: str
    version: int = 2
    repeat: Repeat = "never"
    scope: str | None = None
    rows: Rows | None = None
    lookup: str | None = None
    lookup_may_be_empty: bool = False
    must_be_true: bool = False
    fails_if: str | None = None
    promises: str | None = None
    null_fails: bool = False
    max_values: tuple[str, int] | None = None
    max_hits: int | None = None
    done: object = True
    repeat_unless: Condition | None = None

    def __post_init__(self) -> None:
        # A misspelt "never" would be sent twice.
        _check("repeat", self.repeat, get_args(Repeat), self.name)
        _check("repeat_unless", self.repeat_unless, (None, *get_args(Condition)), self.name)
        _check("version", self.version, (2, 3), self.name)
        _check("promises", (self.promises or "id").rpartition("=")[2], _RESULTS, self.name)
        if not isinstance(self.name, str) or not isinstance(self.rows, (Rows, type(None))):
            raise ConfigurationError(
                "a method needs a name, and its rows are described by Rows",
                next_step='write e.g. Method("acme.report.list", repeat="read", rows=Rows(at="items"))',
            )

    def repeat_for(self, params: Params | None = None) -> Repeat:
        """
        ``repeat`` of one call.

        An update with a phone, e-mail or the like that has no id adds it each time: ``never``. ``event.offline.get``
        deletes what it returns; with ``clear=0`` it reserves it under a new ``process_id``, which is lost with the
        answer. Only an earlier reservation (``clear=0`` and its ``process_id``) can be read again: ``read``.

        Source: Bitrix24 REST docs, ``crm.item.update``, ``event.offline.get``.
        """
        if self.repeat_unless == "multifields":
            return "never" if _adds_a_multifield(params or {}) else self.repeat
        if self.repeat_unless == "queue":
            return "read" if _shows_a_reservation(params or {}) else self.repeat
        return self.repeat


class Methods:
    """
    All methods; immutable.

    >>> METHODS.find("crm.item.list").rows.at
    'items'
    >>> METHODS.adding(Method("acme.report.build", repeat="harmless")).find("acme.report.build").repeat
    'harmless'
    """

    __slots__ = ("_found", "_own")

    def __init__(self, *methods: Method) -> None:
        """:raises ConfigurationError: one of them is not a :class:`Method`."""
        if not all(isinstance(method, Method) for method in methods):
            raise ConfigurationError(
                "a description of a method is not a Method",
                next_step='write e.g. Method("acme.report.build", repeat="harmless")',
            )
        self._own = {_key(method.name, method.version): method for method in methods}
        self._found: dict[_Key, Method] = {}

    def adding(self, *methods: Method) -> Methods:
        """The same with a user's own methods, which come before the table and before those added earlier."""
        return Methods(*self._own.values(), *methods)

    def find(self, name: str, version: int = 2) -> Method:
        """
        What is known of a method; of an unknown name, what its ending says. Never fails.

        :param name: in any case.
        :param version: 2 or 3 of the REST API; the same name can be another method in each.
        """
        key = _key(name, version)
        # Only what is in the table is kept: names come from users, and memory must not grow with them.
        return self._own.get(key) or self._found.get(key) or self._look_up(name, key)

    def __iter__(self) -> Iterator[Method]:
        """All methods with a line of their own: the table's and the user's, without endings such as ``*.list``."""
        for key in dict.fromkeys((*_table(), *_promises(), *self._own)):
            if not key.name.startswith("*"):
                yield self.find(*key)

    def _look_up(self, name: str, key: _Key) -> Method:
        promise = _promises().get(key)
        if (line := _table().get(key)) or promise:
            method = line.method() if line else self._unlisted(name, key)
            method = self._found[key] = replace(method, **promise._asdict()) if promise else method
            return method
        return self._unlisted(name, key)

    @staticmethod
    def _unlisted(name: str, key: _Key) -> Method:
        ending = _Key("*" + name[name.rfind(".") :].lower(), key.version)
        line = _table().get(ending) if "." in name else None
        scope = _scopes().get(_Key(_family(key.name), key.version))
        if line is None:
            return Method(name, key.version, scope=scope)
        known = line.method()
        return Method(name, key.version, known.repeat, scope, known.rows)


#: What comes with this package.
METHODS = Methods()


class _Key(NamedTuple):
    name: str
    version: int


class _Line(NamedTuple):
    """One line of the table, made into a method on first use."""

    columns: tuple[str, ...]
    values: list[str]

    def method(self) -> Method:
        cell = dict(zip(self.columns, self.values, strict=True))
        also = cell["also"].split(",")
        facts = dict(fact.split(":", 1) for fact in also if ":" in fact)
        if "repeat" not in cell:
            return Method(cell["method"], int(cell["v"]), "read", _cell_value(cell["scope"]), _rows(cell, also))
        return Method(
            cell["method"],
            int(cell["v"]),
            cast(Repeat, cell["repeat"]),
            _cell_value(cell["scope"]),
            lookup=_cell_value(cell["lookup"]),
            lookup_may_be_empty="empty-lookup" in also,
            must_be_true="must-be-true" in also,
            fails_if=facts.get("fails-if"),
            max_values=_max_values(facts.get("max-values")),
            max_hits=int(facts["max-hits"]) if "max-hits" in facts else None,
            done=True if cell["done"] == "-" else json.loads(cell["done"]),
            repeat_unless="multifields" if "multifields" in also else "queue" if "queue" in also else None,
        )


def _max_values(fact: str | None) -> tuple[str, int] | None:
    """``values=20`` of the table."""
    parameter, _, number = (fact or "").partition("=")
    return (parameter, int(number)) if number else None


def _rows(cell: Mapping[str, str], also: list[str]) -> Rows:
    filter_name, _, filter_id = cell["filter"].partition(":")
    order_name, _, order_id = cell["order"].partition(":")
    return Rows(
        at=None if cell["rows"] == "?" else cell["rows"].removeprefix("result").removeprefix("."),
        keyed_by_id="keyed" in also,
        of_values="values" in also,
        id_key=_cell_value(cell["id"]),
        unique_id=cell["id"] != "-",
        filter_id=_cell_value(filter_id),
        order_id=_cell_value(order_id),
        filter=_cell_value(filter_name),
        order=_cell_value(order_name),
        select=_cell_value(cell["select"]),
        sort=_cell_value(cell["sort"]),
        limit=_cell_value(cell["limit"]),
        cursor=_cell_value(cell["cursor"]),
        paging=cast(Paging, cell["paging"]),
        page_rows=int(cell["page"]),
        total_is_true="no-total" not in also,
        case_sensitive="any-case" not in also and cell["rows"] != "?",
        drops_unknown_filters="drops-filters" in also,
        fields_method=_cell_value(cell["fields"]),
    )


@cache
def _table() -> dict[_Key, _Line]:
    """The lines of ``methods.txt`` by name and version; read on first use."""
    text = Path(__file__).with_name("methods.txt").read_text(encoding="utf-8")
    lines: dict[_Key, _Line] = {}
    columns: tuple[str, ...] = ()
    for line in text.splitlines():
        values = line.split()
        if not values or line.startswith(("#", "[")):
            continue
        if values[0] == "method":
            columns = tuple(values)
            continue
        lines[_key(values[0], int(values[1]))] = _Line(columns, values)
    return lines


class _Promise(NamedTuple):
    name: str
    promises: str
    null_fails: bool


@cache
def _promises() -> dict[_Key, _Promise]:
    """The lines of ``promised_results.txt`` by name and version; read on first use."""
    text = Path(__file__).with_name("promised_results.txt").read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {
        _key(name, int(version)): _Promise(name, result, "null-fails" in more) for name, version, result, *more in lines
    }


@cache
def _scopes() -> dict[_Key, str]:
    """The scope of each family (``crm``) whose methods in the table all have the same."""
    scopes: defaultdict[_Key, set[str]] = defaultdict(set)
    for key, line in _table().items():
        scopes[_Key(_family(key.name), key.version)].add(line.values[line.columns.index("scope")])
    return {family: min(names) for family, names in scopes.items() if len(names) == 1 and "-" not in names}


def _check(what: str, value: object, choices: tuple[object, ...], method: str = "") -> None:
    if value not in choices:
        raise ConfigurationError(
            f"{what} of a method is {value!r}",
            method=str(method),
            next_step=f"write one of: {', '.join(map(repr, choices))}",
        )


def _key(name: str, version: int) -> _Key:
    return _Key(name.lower(), version)


def _family(name: str) -> str:
    return name.partition(".")[0]


def _cell_value(value: str) -> str | None:
    """A cell of the table; None if there is nothing, or if it is unknown."""
    return None if value in ("", "-", "?") else value


def _adds_a_multifield(params: Params) -> bool:
    for name, fields in params.items():
        if name.lower() != "fields" or not isinstance(fields, Mapping):
            continue
        for field, values in fields.items():
            if str(field).upper() in _MULTIFIELDS and values and not _all_exist(str(field), values):
                return True
    return False


def _all_exist(field: str, values: Any) -> bool:
    """Whether each value of a multi-field names one that exists: by ``ID`` or, in ``fm``, by being under its id."""
    by_key = isinstance(values, Mapping)
    if not by_key and not isinstance(values, (list, tuple)):
        return False
    for key, value in values.items() if by_key else enumerate(values):
        under_its_id = by_key and field.lower() == "fm" and str(key).isdecimal() and int(key) > 0
        named = isinstance(value, Mapping) and (value.get("ID") or value.get("id"))
        if not under_its_id and not named:
            return False
    return True


def _shows_a_reservation(params: Params) -> bool:
    spellings = [name for name in params if name.lower() in ("clear", "process_id")]
    return (
        sorted(spellings) == ["clear", "process_id"]
        and str(params["clear"]) in ("0", "False")
        and bool(params["process_id"])
    )
