"""Which rows a load takes: all, those changed in an interval, or those changed since the load before."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.moments import parse

if TYPE_CHECKING:
    from airflow_provider_bitrix24.methods import Method
    from airflow_provider_bitrix24.rest.client import Client

#: The field that says when a row was changed, as the filter spells it ("Incremental sync").
_MODIFIED = {
    "crm.item.list": "updatedTime",
    "crm.company.list": "DATE_MODIFY",
    "crm.contact.list": "DATE_MODIFY",
    "crm.deal.list": "DATE_MODIFY",
    "crm.lead.list": "DATE_MODIFY",
    "crm.quote.list": "DATE_MODIFY",
    "crm.activity.list": "LAST_UPDATED",
    "crm.stagehistory.list": "CREATED_TIME",
    "tasks.task.list": "CHANGED_DATE",
    "user.get": "TIMESTAMP_X",
    "voximplant.statistic.get": "CALL_START_DATE",
}


def known_modified_field(method: Method) -> str | None:
    """The field that says when a row of a list was changed; None where none is known."""
    return _MODIFIED.get(method.name.lower())


def modified_field(method: Method) -> str:
    """
    The field that says when a row of a list was changed.

    :raises ConfigurationError: none is known.
    """
    field = known_modified_field(method)
    if field is None:
        raise ConfigurationError(
            "which field says when a row was changed is not known",
            method=method.name,
            next_step='set window="all" to load every row each time',
        )
    return field


def interval_of(start: Any, end: Any) -> tuple[str, str]:
    """
    The bounds of a run's data interval, as a filter takes them.

    :raises ConfigurationError: the run has none, or one that can hold nothing, as with a cron text in Airflow 3.
    """
    if not isinstance(start, datetime.datetime) or not isinstance(end, datetime.datetime) or start >= end:
        raise ConfigurationError(
            f"the data interval of this run is {start} to {end}, and can hold no row",
            next_step='schedule the DAG with CronDataIntervalTimetable, or set window="watermark", which needs none',
        )
    return tuple(moment.replace(microsecond=0).isoformat() for moment in (start, end))  # type: ignore[return-value]


def span_of(window: str) -> tuple[str, str]:
    """
    The bounds of a window that is written as two moments, ``"2026-01-01T00:00:00+03:00/2026-01-02T00:00:00+03:00"``.

    :raises ConfigurationError: it is none, a moment has no zone, or it can hold nothing.
    """
    moments = [parse(text) for text in window.split("/")]
    start, end = moments if len(moments) == 2 else (None, None)
    for moment in (start, end):
        if not isinstance(moment, pendulum.DateTime) or moment.tzinfo is None:
            raise ConfigurationError(
                f"window is {preview(window)}, which is not two moments with their zones",
                next_step="write e.g. 2026-01-01T00:00:00+03:00/2026-01-02T00:00:00+03:00",
            )
    if start >= end:  # type: ignore[operator]
        raise ConfigurationError(
            f"window is {preview(window)}, and can hold no row", next_step="write the earlier first"
        )
    return start.isoformat(), end.isoformat()  # type: ignore[union-attr]


def moment_of(text: str) -> pendulum.DateTime:
    """
    A moment that was kept.

    :raises ConfigurationError: it is none, or has no zone.
    """
    moment = parse(text)
    if not isinstance(moment, pendulum.DateTime) or moment.tzinfo is None:
        raise ConfigurationError(
            "the watermark of the loads is not a moment",
            next_step='fix it, or delete it: the next load with window="watermark" takes every row',
        )
    return moment


def since(watermark: str, now: str, overlap_seconds: float) -> tuple[str, str]:
    """
    The lower bound of a load, and the watermark that it leaves.

    The bound is some time before the watermark, since rows become visible after they are changed. Where the portal's
    clock was set back meanwhile, both go back as far: a portal may keep hours without their zone, and what is changed
    in the hour that comes again would seem to be older than the watermark.

    :param now: the portal's clock.
    """
    before, present = moment_of(watermark), moment_of(now)
    set_back = max(int(before.offset or 0) - int(present.offset or 0), 0)
    bound = before.subtract(seconds=int(overlap_seconds) + set_back).isoformat()
    return bound, present.subtract(seconds=set_back).isoformat() if set_back else now


def portal_time(client: Client) -> str:
    """The portal's own clock, by which it stamps what changes."""
    moment = client.call("server.time")
    if not isinstance(moment, str) or not isinstance(parse(moment), pendulum.DateTime):
        raise Bitrix24Error(
            "the answer is not a moment", method="server.time", next_step="check what the portal answers"
        )
    return moment


def bounded(conditions: Mapping[str, Any], field: str, bounds: Mapping[str, str]) -> dict[str, str]:
    """
    The conditions of a window.

    :param conditions: the author's, at the top of the filter.
    :param bounds: by operator.
    :raises ConfigurationError: the author has a condition on the same field.
    """
    own = [key for key in conditions if key.lstrip("!=<>@%").lower() == field.lower()]
    if own and bounds:
        raise ConfigurationError(
            f"the filter has {own[0]!r}, and the window sets bounds of the same field",
            next_step='leave the condition out, or set window="all"',
        )
    return {f"{operator}{field}": bound for operator, bound in bounds.items()}
