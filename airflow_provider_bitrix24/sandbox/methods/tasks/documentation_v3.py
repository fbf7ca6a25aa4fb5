"""
``rest.documentation.openapi``: the REST 3.0 methods of this portal as an OpenAPI document, which is the whole answer.

Source: Bitrix24 REST docs, "REST 3.0"; the outline of the document as the official JavaScript SDK is tested with it.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.methods.registry import METHODS_V3, Method, Params, WholeBody, method_v3
from airflow_provider_bitrix24.sandbox.methods.tasks.task_fields_v3 import TASK_FIELDS
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_TASK = {"$ref": "#/components/schemas/TaskDto"}
_OBJECT = {"type": "object"}
_SELECT = {"select": {"type": "array", "items": {"type": "string"}}}
_LIST = {**_SELECT, "filter": {"type": "array", "items": {}}, "order": _OBJECT, "pagination": _OBJECT}

#: By the last part of a method's name: its parameters, and what stands under ``result``.
_SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "list": (_LIST, {"items": {"type": "array", "items": _TASK}}),
    "get": ({"id": {"type": "integer"}, **_SELECT}, {"item": _TASK}),
    "add": ({"fields": _TASK}, {"item": _TASK}),
}
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


@method_v3("documentation", "rest.documentation.openapi")
def openapi(portal: PortalState, user: User, params: Params) -> Any:
    methods = {name: entry for name, entry in METHODS_V3.items() if _is_open(portal, user, entry)}
    modules = sorted({name.partition(".")[0] for name in methods})
    properties = {name: _property(value) for name, value in TASK_FIELDS.items()}
    return WholeBody(
        {
            "openapi": "3.0.0",
            "info": {"title": "Bitrix24 REST V3 API", "version": "1.0.0"},
            "servers": [{"url": f"{portal.url}/rest/api"}],
            "tags": [{"name": module} for module in modules],
            "paths": {f"/{name}": _operations(name) for name in sorted([*methods, "batch"])},
            "components": {"schemas": {"TaskDto": {"type": "object", "properties": properties}}},
        }
    )


def _is_open(portal: PortalState, user: User, entry: Method) -> bool:
    return not entry.scopes or bool(portal.scopes_of(user).intersection(entry.scopes))


def _property(value: Any) -> dict[str, Any]:
    # Times and what is unset here are text.
    kind = _JSON_TYPES.get(type(value), "string")
    return {"type": kind, "items": {}} if kind == "array" else {"type": kind}


def _operations(name: str) -> dict[str, Any]:
    module, _, action = name.partition(".")
    params, result = _SHAPES.get(action.rpartition(".")[2], ({}, {}))
    body: dict[str, Any] = {"type": "object", "properties": params}
    if name == "batch":
        body = {"type": "array", "items": _OBJECT}
    answer = {"type": "object", "properties": {"result": {"type": "object", "properties": result}}}
    operation = {
        "tags": [module],
        "summary": name,
        "responses": {"200": {"description": "Success", "content": {"application/json": {"schema": answer}}}},
    }
    if name in METHODS_V3 and not params:
        return {"get": operation, "post": operation}
    return {"post": {**operation, "requestBody": {"content": {"application/json": {"schema": body}}}}}
