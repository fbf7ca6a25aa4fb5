"""``user.*``. Source: pages under ``user``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.methods.registry import Params, method
from airflow_provider_bitrix24.sandbox.state import PortalState, User

#: Any one of them allows the ``user.*`` methods (server source).
USER_SCOPES = ("user", "user_brief", "user_basic")


def user_row(user: User) -> dict[str, Any]:
    return {
        "ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "LAST_LOGIN": "2026-01-12T09:00:00+03:00",
        "DATE_REGISTER": "2025-06-01T00:00:00+03:00",
        "TIME_ZONE": "",
        "IS_ONLINE": "Y",
        # As printed by the documentation: an empty object stands for a time.
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": "2026-01-12 09:00:00",
        "PERSONAL_GENDER": "",
        "PERSONAL_BIRTHDAY": "",
        "WORK_POSITION": "",
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": [1],
        "USER_TYPE": "employee",
    }


@method("user.current", scope=USER_SCOPES)
def current(portal: PortalState, user: User, params: Params) -> Any:
    return user_row(user)
