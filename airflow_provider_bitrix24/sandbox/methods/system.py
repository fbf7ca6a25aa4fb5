"""Methods about the call itself: who, what is allowed, what time it is. Source: pages under ``common/system``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.documented import documented
from airflow_provider_bitrix24.sandbox.methods.registry import METHODS, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import is_truthy
from airflow_provider_bitrix24.sandbox.state.known_words import DOCUMENTED_SCOPES
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User


@method("profile")
def profile(portal: PortalState, user: User, params: Params) -> Any:
    if not user.active:
        return []
    return {
        "ID": str(user.id),
        "ADMIN": user.is_admin,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "PERSONAL_GENDER": "",
        "TIME_ZONE": "",
    }


@method("scope", upper=True)
def scope(portal: PortalState, user: User, params: Params) -> Any:
    # `full` asks for every scope that the portal has, granted or not.
    return sorted(DOCUMENTED_SCOPES if is_truthy(params.get("FULL")) else portal.scopes_of(user))


@method("methods", upper=True)
def methods(portal: PortalState, user: User, params: Params) -> Any:
    wanted = params.get("SCOPE")
    scopes = portal.scopes_of(user) if wanted is None else {str(wanted)}
    if is_truthy(params.get("FULL")):
        return [entry.name for entry in METHODS.values()]
    return [
        entry.name
        for entry in METHODS.values()
        if scopes.intersection(entry.scopes) or (wanted is None and not entry.scopes)
    ]


@method("method.get", upper=True)
def method_get(portal: PortalState, user: User, params: Params) -> Any:
    name = params.get("NAME")
    if not name:
        raise Refusal("ERROR_ARGUMENT", "Argument 'name' is null or empty", extra={"argument": "name"})
    lower = str(name).lower()
    entry = METHODS.get(lower)
    is_there = entry is not None or lower in documented(version=2) or lower in map(str.lower, portal.answers)
    scopes = entry.scopes if entry is not None else ()
    available = is_there and (not scopes or bool(portal.scopes_of(user).intersection(scopes)))
    return {"isExisting": is_there, "isAvailable": available}


@method("server.time")
def server_time(portal: PortalState, user: User, params: Params) -> Any:
    return portal.clock.iso()


@method("app.info")
def app_info(portal: PortalState, user: User, params: Params) -> Any:
    if user.application is not None:
        return {
            "ID": 1,
            "CODE": user.application.client_id,
            "VERSION": 1,
            "STATUS": "L",
            "INSTALLED": True,
            "PAYMENT_EXPIRED": "N",
            "DAYS": None,
            "LANGUAGE_ID": portal.settings.language,
            "LICENSE": "en_pro100",
            "LICENSE_TYPE": "pro100",
            "LICENSE_FAMILY": "pro",
        }
    # The page lists ACCESS_DENIED for webhooks; current servers answer this (server source).
    return {"SCOPE": sorted(portal.scopes), "LICENSE": "en_pro100"}


@method("user.admin")
def user_admin(portal: PortalState, user: User, params: Params) -> Any:
    return user.is_admin


#: Groups that every portal has, by the code that permissions use.
_GROUPS = {"G2": "All visitors", "AU": "All authorized users"}


def _access_codes(params: Params) -> list[str]:
    return [str(code) for code in as_map(params.get("ACCESS")).values()]


@method("access.name", upper=True)
def access_name(portal: PortalState, user: User, params: Params) -> Any:
    codes = _access_codes(params)
    return {code: {"provider": "", "name": _GROUPS[code], "provider_id": "other"} for code in codes if code in _GROUPS}


@method("user.access", upper=True)
def user_access(portal: PortalState, user: User, params: Params) -> Any:
    # True if the user has one of the codes; everybody who can ask is in both groups.
    own = {*_GROUPS, f"U{user.id}"}
    return any(code in own for code in _access_codes(params))


@method("feature.get", upper=True)
def feature(portal: PortalState, user: User, params: Params) -> Any:
    if not params.get("CODE"):
        raise Refusal("CODE_EMPTY", "CODE can't be empty")
    return {"value": "Y" if str(params["CODE"]) in portal.plan_features else "N"}
