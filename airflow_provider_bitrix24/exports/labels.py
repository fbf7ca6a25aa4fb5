"""Readable columns beside codes and ids: which columns have one, what it is called, and what it says of rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES
from airflow_provider_bitrix24.crm.values import ItemField, decimal_of, is_nothing, typed
from airflow_provider_bitrix24.exceptions import ConfigurationError, RestError
from airflow_provider_bitrix24.exports.columns import Column, column_name
from airflow_provider_bitrix24.exports.dimensions import Dimension, Dimensions
from airflow_provider_bitrix24.exports.misfits import Misfits
from airflow_provider_bitrix24.exports.tables import Table, column_of, values_of
from airflow_provider_bitrix24.types import Row

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

#: Kinds of items whose funnels ``crm.category.list`` does not tell.
_WITHOUT_FUNNELS = {ENTITY_TYPES[word] for word in ("lead", "contact", "company")}
_STAGES = {1: "STATUS", 2: "DEAL_STAGE", 5: "INVOICE_STATUS", 7: "QUOTE_STATUS", 31: "SMART_INVOICE_STAGE"}
#: Ids are smaller.
_MOST = 2**63
_STAGE_HISTORY = "crm.stagehistory.list"
#: Ids of people and departments that the documentation calls whole numbers, by method in lower case.
_DOCUMENTED: Mapping[str, Mapping[str, Dimension]] = {
    "tasks.task.list": dict.fromkeys(
        (
            *("CREATED_BY", "RESPONSIBLE_ID", "CHANGED_BY", "STATUS_CHANGED_BY", "CLOSED_BY", "ACCOMPLICES"),
            "AUDITORS",
        ),
        Dimension("user"),
    ),
    "task.elapseditem.getlist": {"USER_ID": Dimension("user")},
    "voximplant.statistic.get": {"PORTAL_USER_ID": Dimension("user")},
    "crm.item.payment.list": {"empPaidId": Dimension("user")},
    "department.get": {"UF_HEAD": Dimension("user"), "PARENT": Dimension("department")},
    "user.get": {"UF_DEPARTMENT": Dimension("department")},
}


@dataclass(frozen=True)
class Label:
    """
    One column of labels.

    :param column: text, or JSON of several texts.
    :param of: the column whose codes or ids it puts into words.
    """

    column: Column
    of: Column
    dimension: Dimension


@dataclass
class LabelTexts:
    """
    What one column of labels says of some rows.

    :param texts: one to a row: a text, a list of texts and None, or None.
    :param missing: how many codes and ids have no text.
    """

    texts: list[Any] = field(default_factory=list)
    missing: int = 0


def labels_of(table: Table, chosen: bool | Sequence[str], others: Iterable[str] = ()) -> tuple[Label, ...]:
    """
    The labels of a table, in the order of its columns.

    A label's column is named after its field, ``stage_id_label``; where another column has that name, it ends in eight
    letters of its hash.

    :param chosen: True for all, or names of fields in any spelling.
    :param others: columns of the target that hold something else.
    :raises ConfigurationError: a name that is not a field of the table, or one that needs no label.
    """
    if chosen is False:
        return ()
    columns = table.columns
    dimensions = {column.name: found for column in columns if (found := _dimension(table, column)) is not None}
    if chosen is not True:
        dimensions = {name: dimensions[name] for name in _columns_named(table, chosen, dimensions)}
    labels: list[Label] = []
    taken = {*others, *(column.name for column in columns)}
    for column in columns:
        if column.name not in dimensions:
            continue
        name = column_name(column.field.upper_name, "_label", taken)
        taken.add(name)
        # Not a multiple field, of which members without a value would be left out.
        described = ItemField(name, name, "string", f"{column.field.title} (label)")
        label = Column(name, "json" if column.field.is_multiple else "text", described)
        labels.append(Label(label, column, dimensions[column.name]))
    return tuple(labels)


def _columns_named(table: Table, chosen: Sequence[str], known: Mapping[str, Dimension]) -> set[str]:
    found = set()
    for name in chosen:
        column = column_of(table, name)
        if column is None or column not in known:
            what = f"is not a column of {table.name} here" if column is None else "has no labels"
            with_labels = ", ".join(known) or "none of them"
            raise ConfigurationError(
                f"labels names {name!r}, which {what}", next_step=f"columns with labels: {with_labels}"
            )
        found.add(column)
    return found


def _dimension(table: Table, column: Column) -> Dimension | None:
    """Where the labels of a column come from; None where it has none."""
    described = column.field
    if described.type == "enumeration":
        return Dimension("choice")
    if described.type in ("user", "employee"):
        return Dimension("user")
    if described.type == "crm_status" and described.directory:
        return Dimension("status", described.directory)
    method = table.method.lower()
    if method == _STAGE_HISTORY and table.type_id is not None:
        if described.upper_name in ("STATUS_ID", "STAGE_ID"):
            return Dimension("status", _STAGES.get(table.type_id, f"DYNAMIC_{table.type_id}_STAGE"))
        is_funnel = described.upper_name == "CATEGORY_ID"
    else:
        is_funnel = described.type == "crm_category"
    if is_funnel:
        has_funnels = table.type_id is not None and table.type_id not in _WITHOUT_FUNNELS
        return Dimension("category", str(table.type_id)) if has_funnels else None
    return _DOCUMENTED.get(method, {}).get(described.upper_name)


class Labels:
    """
    Labels of rows, with the directories that were read for them.

    :param chosen: see :func:`labels_of`, as ``others``.
    """

    def __init__(self, client: Client, table: Table, chosen: bool | Sequence[str], others: Iterable[str] = ()) -> None:
        self.labels = labels_of(table, chosen, others)
        self._dimensions = Dimensions(client)

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(label.column for label in self.labels)

    @property
    def bases(self) -> dict[str, str]:
        """By column of labels, the column that it puts into words."""
        return {label.column.name: label.of.name for label in self.labels}

    def report(self, misfits: Misfits) -> dict[str, Any]:
        """What the report of a load says of its labels; nothing where it has none."""
        return {"labels": self.bases, "unlabelled": dict(misfits.unlabelled)} if self.labels else {}

    def of(self, rows: Sequence[Row]) -> dict[str, LabelTexts]:
        """
        What the columns of labels say of rows, by their names.

        :raises Bitrix24Error: a directory cannot be read.
        """
        read = {label.column.name: _read(label, values_of(label.of, rows)) for label in self.labels}
        wanted: dict[Dimension, set[str]] = {}
        for label in self.labels:
            keys = {key for own in read[label.column.name].keys.values() for key in own if key is not None}
            wanted.setdefault(label.dimension, set()).update(keys)
        found = {}
        for label in self.labels:
            name = label.column.name
            texts = label.of.field.choices
            if label.dimension.kind != "choice" and wanted[label.dimension]:
                texts = self._texts(label.dimension, wanted[label.dimension])
            found[name] = _said(label, read[name], texts)
        return found

    def beside(self, rows: Iterable[Row]) -> list[Row]:
        """Rows with their labels."""
        several = list(rows)
        found = self.of(several)
        return [{**row, **{name: label.texts[at] for name, label in found.items()}} for at, row in enumerate(several)]

    def _texts(self, dimension: Dimension, keys: Iterable[str]) -> Mapping[str, Any]:
        try:
            return self._dimensions.texts(dimension, keys)
        except RestError as error:
            if error.retryable:
                raise
            names = ", ".join(label.column.name for label in self.labels if label.dimension == dimension)
            others = [label.of.name for label in self.labels if label.dimension.kind != dimension.kind]
            instead = f"labels={others[:2]}" if others else "labels=False"
            joint = "or " if error.next_step else ""
            failure = error.but(advice=f"{joint}leave out {names}, e.g. with {instead}")
        # Outside the handler, which would chain the error to itself.
        raise failure


@dataclass(frozen=True)
class _Read:
    """
    The values of a column.

    :param values: in the order of the rows, each in a form that can be the key of a dict.
    :param keys: by such a value, the codes or ids that it holds; None where one can be none.
    """

    values: Sequence[Hashable]
    keys: Mapping[Hashable, tuple[str | None, ...]]


def _read(label: Label, values: Sequence[Any]) -> _Read:
    """Look at each value once: most rows have one of a few."""
    # True would be 1, and lists cannot be keys.
    own = values if set(map(type, values)) <= {str, int, type(None)} else list(map(_hashable, values))
    several = label.of.field.is_multiple
    keys = {}
    for value, raw in zip(own, values, strict=True):
        if value not in keys:
            answer = typed(label.of.field, raw)
            members = answer if several else [] if is_nothing(answer) else [answer]
            keys[value] = tuple(_key(label, member) for member in members)
    return _Read(own, keys)


def _hashable(value: Any) -> Hashable:
    return repr(value) if isinstance(value, (list, dict)) else (type(value), value)


def _key(label: Label, member: Any) -> str | None:
    """A code or an id as text; None for nothing, and for what can be none."""
    if label.dimension.kind == "status":
        return member if isinstance(member, str) and member else None
    number = decimal_of(member)
    if number is None or number != number.to_integral_value() or not 0 <= number < _MOST:
        return None
    # Of people and departments, 0 is the portal's word for none; the funnel 0 is the first one.
    return str(int(number)) if number or label.dimension.kind == "category" else None


def _said(label: Label, read: _Read, texts: Mapping[str, Any]) -> LabelTexts:
    said = {value: [(key and texts.get(key)) or None for key in own] for value, own in read.keys.items()}
    missing = {
        value: count
        for value, own in read.keys.items()
        if (count := sum(key is not None and not texts.get(key) for key in own))
    }
    shown: dict[Hashable, Any] = {
        value: (each or None) if label.of.field.is_multiple else next(iter(each), None) for value, each in said.items()
    }
    without = sum(missing.get(value, 0) for value in read.values) if missing else 0
    return LabelTexts([shown[value] for value in read.values], without)
