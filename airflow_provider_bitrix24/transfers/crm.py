"""The CRM of a portal in tables or files: one task for each kind of row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24._compat import TaskGroup
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, one_of
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, preview
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: When a run is due, in Airflow 2 and 3; runs of assets have no interval, and runs of Airflow 2 have no run_after.
_IS_FULL = "(data_interval_end | default(dag_run.run_after, true)).astimezone(dag.timezone).isoweekday() == {}"
#: What the group itself decides for each task.
_OF_THE_GROUP = {
    *("task_id", "task_group", "dag", "sql_conn_id", "destination", "table", "window", "write", "deleted"),
    *("entity_type_id", "item_filter", "method", "method_params", "children"),
}


@dataclass(frozen=True)
class _Rows:
    """
    One kind of row.

    :param list: arguments that name the list.
    :param changes: whether its rows tell when they were changed; others are all loaded each time.
    """

    list: Mapping[str, Any]
    changes: bool = True

    @property
    def tells_deleted(self) -> bool:
        """Whether a load finds deleted rows by itself, so that a full one replaces nothing."""
        return "entity_type_id" in self.list and "children" not in self.list


_ROWS: Mapping[str, _Rows] = {
    "deals": _Rows({"entity_type_id": "deal"}),
    "contacts": _Rows({"entity_type_id": "contact"}),
    "companies": _Rows({"entity_type_id": "company"}),
    "leads": _Rows({"entity_type_id": "lead"}),
    "deal_stage_history": _Rows({"method": "crm.stagehistory.list", "method_params": {"entityTypeId": 2}}),
    "lead_stage_history": _Rows({"method": "crm.stagehistory.list", "method_params": {"entityTypeId": 1}}),
    "activities": _Rows({"method": "crm.activity.list"}),
    "tasks": _Rows({"method": "tasks.task.list"}),
    "users": _Rows({"method": "user.get"}),
    "deal_product_rows": _Rows({"entity_type_id": "deal", "children": "product_rows"}),
    "deal_payments": _Rows({"entity_type_id": "deal", "children": "payments"}),
    "payments": _Rows({"method": "sale.payment.list"}, changes=False),
    "statuses": _Rows({"method": "crm.status.list"}, changes=False),
    "deal_funnels": _Rows({"method": "crm.category.list", "method_params": {"entityTypeId": 2}}, changes=False),
    "departments": _Rows({"method": "department.get"}, changes=False),
}
#: What :func:`bitrix24_crm_to` loads, each into a table or a folder of this name.
CRM_OBJECTS = tuple(_ROWS)


def bitrix24_crm_to(
    *,
    sql_conn_id: str | NotGiven = NOT_GIVEN,
    table_prefix: str | NotGiven = NOT_GIVEN,
    destination: str | NotGiven = NOT_GIVEN,
    objects: Sequence[str] | Mapping[str, Mapping[str, Any]] | NotGiven = NOT_GIVEN,
    full_on: str | NotGiven = NOT_GIVEN,
    window: Any = NOT_GIVEN,
    group_id: str = "bitrix24_crm",
    **arguments: Any,
) -> TaskGroup:
    """
    Load the CRM of a portal into tables or files: what has changed in each run, and everything on one day of the week.

    Makes a group of tasks in the DAG around it, one for each kind of row, which do not wait for each other:
    :class:`Bitrix24ToSqlOperator` with ``sql_conn_id``, :class:`Bitrix24ToObjectStorageOperator` with ``destination``.
    The first run takes everything. Each run brings tables up to date with rows that are deleted among deals, contacts,
    companies and leads, and with product rows and payments of deals that were changed or deleted; those on ``full_on``
    with deleted rows of other lists too, and with changes that move no time of change.

    :param sql_conn_id: the Airflow connection of the database; may be a template.
    :param table_prefix: with ``sql_conn_id``, what the names of tables begin with, ``"bitrix24_"`` by default; with a
        dot, a schema that exists, ``"bitrix24."``; may be a template.
    :param destination: or the folder in which each kind of row has its own, ``s3://conn_id@bucket/crm``; may be a
        template.
    :param objects: what to load, all of ``CRM_OBJECTS`` by default; or a mapping to further arguments of its operator,
        ``{"deals": {"select": ["title", "stageId"]}, "users": {}}``.
    :param full_on: the day of the week, in the DAG's timezone, whose runs load everything: ``"monday"`` to
        ``"sunday"``, which is the default. A DAG that does not run on this day never does.
    :param window: for a backfill, in place of all that: ``"interval"`` or two moments, as of the operators, a template,
        or the argument of a mapped task group. Only what tells when it was changed can be named among ``objects``, and
        is all of them by default; deleted rows are not looked for.
    :param group_id: the name of the group.
    :param arguments: of the operator, for every task, e.g. ``labels=True``, ``retries=3``, ``bitrix24_conn_id="crm"``.
    :raises AirflowFailException: the arguments do not go together. Airflow itself refuses a group without a DAG.

    Source: Bitrix24 REST docs, pages of the methods.
    """
    with airflow_outcome():
        is_backfill = not isinstance(window, NotGiven)
        chosen = _chosen(objects, [name for name, rows in _ROWS.items() if rows.changes or not is_backfill])
        for given in (arguments, *chosen.values()):
            _check_free(given)
        day = "sunday" if isinstance(full_on, NotGiven) else one_of(full_on, "full_on", _DAYS)
        if is_backfill:
            _check_backfill(window, chosen, full_on)
        for argument, value in {
            "sql_conn_id": sql_conn_id, "table_prefix": table_prefix, "destination": destination
        }.items():  # fmt: skip
            if not isinstance(value, (str, NotGiven)):
                # Part of longer texts, the result of a task would be lost.
                raise ConfigurationError(
                    f"{argument} is {preview(value)}, which is not a text",
                    next_step="write a text, which may be a template",
                )
        in_sql = not isinstance(sql_conn_id, NotGiven)
        if in_sql != isinstance(destination, NotGiven):
            raise ConfigurationError(
                "give either sql_conn_id or destination", next_step="say where to load by one of the two"
            )
        if not in_sql and not isinstance(table_prefix, NotGiven):
            raise ConfigurationError("table_prefix belongs to sql_conn_id", next_step="leave it out")
    is_full = _IS_FULL.format(_DAYS.index(day) + 1)
    prefix = "bitrix24_" if isinstance(table_prefix, NotGiven) else table_prefix
    with TaskGroup(group_id) as group:
        for name, own in chosen.items():
            rows = _ROWS[name]
            changed = window if is_backfill else f"{{{{ 'all' if {is_full} else 'watermark' }}}}"
            own_window = changed if rows.changes else "all"
            of_task = {"task_id": name, "window": own_window, **rows.list, **arguments, **own}
            if not in_sql:
                Bitrix24ToObjectStorageOperator(destination=f"{str(destination).rstrip('/')}/{name}", **of_task)
                continue
            write = "upsert" if rows.tells_deleted else "replace"
            if is_backfill:
                write = "upsert"
            elif rows.changes and not rows.tells_deleted:
                write = f"{{{{ 'replace' if {is_full} else 'upsert' }}}}"
            Bitrix24ToSqlOperator(sql_conn_id=str(sql_conn_id), table=f"{prefix}{name}", write=write, **of_task)
    return group


def _check_backfill(window: Any, chosen: Mapping[str, Any], full_on: str | NotGiven) -> None:
    """:raises ConfigurationError: something cannot be loaded by a time, or the window is not one."""
    for name in chosen:
        if not _ROWS[name].changes:
            raise ConfigurationError(
                f"objects has {name!r}, which does not tell when it was changed, and window is given",
                next_step="leave it out of objects, or leave out window",
            )
    if not isinstance(full_on, NotGiven):
        raise ConfigurationError("full_on and window are given", next_step="leave out one of them")
    if window in ("watermark", "all"):
        raise ConfigurationError(
            f"window is {window!r}, which the group sets itself", next_step='leave it out, or write e.g. "interval"'
        )


def _chosen(
    objects: Sequence[str] | Mapping[str, Mapping[str, Any]] | NotGiven, default: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Further arguments by the name of what is loaded."""
    if isinstance(objects, NotGiven):
        objects = default
    if isinstance(objects, str) or not objects:
        raise ConfigurationError(f"objects is {objects!r}, which is not a list", next_step='write e.g. ["deals"]')
    for name in objects:
        if name not in _ROWS:
            raise ConfigurationError(
                f"objects has {name!r}",
                next_step=did_you_mean(str(name), list(_ROWS), f"known are {', '.join(_ROWS)}"),
            )
    own = objects if isinstance(objects, Mapping) else {name: {} for name in objects}
    for name, given in own.items():
        if not isinstance(given, Mapping):
            raise ConfigurationError(f"objects has no arguments under {name!r}", next_step='write e.g. {"deals": {}}')
    return dict(own)


def _check_free(arguments: Mapping[str, Any]) -> None:
    taken = sorted(_OF_THE_GROUP & arguments.keys())
    if taken:
        raise ConfigurationError(
            f"bitrix24_crm_to sets {taken[0]} itself", next_step="use the operator for a task with another one"
        )
