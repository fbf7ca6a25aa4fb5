"""``crm.activity.*``: calls, meetings, e-mails and to-dos. Source: pages of the methods."""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.crm.old_kinds import OldKind, offer
from airflow_provider_bitrix24.sandbox.methods.registry import Refusal
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User


def _prepare_activity(portal: PortalState, user: User, row: Row) -> None:
    if not row.get("SUBJECT"):
        raise Refusal("", "The field SUBJECT is not defined or empty.")
    for name in ("RESPONSIBLE_ID", "TYPE_ID", "COMMUNICATIONS"):
        if not row.get(name):
            raise Refusal("", f"The field {name} is not defined or invalid.")
    table = portal.store.items.get(row.get("OWNER_TYPE_ID") or 0)
    if table is None or table.get(row.get("OWNER_ID") or 0) is None:
        raise Refusal(
            "", "Could not build binding. Please ensure that owner info and communications are defined correctly."
        )


_ACTIVITY_DEFAULTS = {
    **dict.fromkeys(("ASSOCIATED_ENTITY_ID", "RESULT_STATUS", "RESULT_STREAM", "RESULT_MARK", "AUTOCOMPLETE_RULE"), 0),
    **dict.fromkeys(("NOTIFY_TYPE", "NOTIFY_VALUE", "DIRECTION"), 0),
    **dict.fromkeys(("DESCRIPTION", "LOCATION"), ""),
    **dict.fromkeys(("AUTHOR_ID", "EDITOR_ID", "STATUS", "DESCRIPTION_TYPE"), 1),
    **{name: [] for name in ("SETTINGS", "PROVIDER_PARAMS")},
    "COMPLETED": "N",
    "PRIORITY": 2,
    "IS_INCOMING_CHANNEL": "N",
}

offer(
    OldKind(
        "activity",
        "activity",
        lambda store: store.activities,
        _prepare_activity,
        created=("CREATED", "AUTHOR_ID"),
        changed=("LAST_UPDATED", "EDITOR_ID"),
        missing="Activity is not found.",
        event="ACTIVITY",
        defaults=_ACTIVITY_DEFAULTS,
        changed_when_made=True,
    )
)
