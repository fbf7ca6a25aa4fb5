"""What Airflow reads about this package through its entry point. Imports nothing: every Airflow process loads it."""

from __future__ import annotations

from typing import Any

_PACKAGE = "airflow_provider_bitrix24"
_NAME = "Bitrix24"
#: Modules of operators.
_OPERATORS = (
    *(
        "bulk_write",
        "crm",
        "crm_import",
        "crm_upsert",
        "delete_payments",
        "list_payments",
        "messages",
        "payment",
        "payment_items",
    ),
    "rest",
)
#: Modules of sensors.
_SENSORS = ("crm", "payment", "rest")
#: Modules of transfers, each with what it carries rows to.
_TRANSFERS = {"to_object_storage": "Object storage", "to_sql": "SQL"}
#: Modules of triggers.
_TRIGGERS = ("changes", "events", "sensor")
_HOOK = f"{_PACKAGE}.hooks.bitrix24.Bitrix24Hook"

#: Which standard fields the connection form shows, under which names (keys as in ``provider_info.schema.json``).
STANDARD_FIELDS: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {"host": "Portal", "login": "Webhook user id", "password": "Webhook code"},
    "placeholders": {
        "host": "my.bitrix24.com",
        # The Test button of Airflow 3.3 sends 0 for no port, and its API takes that for another portal.
        "port": "443. Without a port, Airflow's Test button answers Bad Request",
        "login": "1",
        "password": "the code, or the whole https://my.bitrix24.com/rest/1/CODE/",
    },
}

#: The extras of a connection as form fields. All are nullable: the form stores every field, an empty one as null,
#: and a field that is not nullable would have to be filled in before the form can be saved.
EXTRA_FIELDS: dict[str, dict[str, Any]] = {
    "auth": {
        "label": "Kind",
        "description": "webhook or oauth. Empty: whichever of the two is filled in. A webhook needs no more than "
        "Portal, Webhook user id and Webhook code.",
        "schema": {
            "type": ["string", "null"],
            "enum": ["webhook", "oauth"],
            "values_display": {"webhook": "Incoming webhook", "oauth": "OAuth application"},
            "section": "Webhook or application",
        },
    },
    "webhook_url": {
        "label": "Webhook URL",
        "description": "The whole address, instead of Portal, Webhook user id and Webhook code. The portal makes it "
        "under Applications > Developer resources > Other > Incoming webhook; tick CRM there.",
        "schema": {"type": ["string", "null"], "format": "password", "section": "Incoming webhook"},
    },
    "expected_user_id": {
        "label": "Expected user id",
        "description": "Refuse a webhook of any other user. Empty: any user.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "section": "Incoming webhook"},
    },
    "client_id": {
        "label": "client_id",
        "description": "From the application's card: Applications > Developer resources > Other > Local application. "
        "The command python -m airflow_provider_bitrix24.authorize makes the whole connection; Webhook user id and "
        "Webhook code stay empty.",
        "schema": {"type": ["string", "null"], "section": "OAuth application"},
    },
    "client_secret": {
        "label": "client_secret",
        "description": "From the application's card.",
        "schema": {"type": ["string", "null"], "format": "password", "section": "OAuth application"},
    },
    "refresh_token": {
        "label": "refresh_token",
        "description": "The first one: workers keep its successors in the token store. A new one here wins at once.",
        "schema": {"type": ["string", "null"], "format": "password", "section": "OAuth application"},
    },
    "access_token": {
        "label": "access_token",
        "description": "Saves the first renewal. May be empty.",
        "schema": {"type": ["string", "null"], "format": "password", "section": "OAuth application"},
    },
    "member_id": {
        "label": "member_id",
        "description": "The portal that the tokens must be for, whatever its address. May be empty.",
        "schema": {"type": ["string", "null"], "section": "OAuth application"},
    },
    "oauth_url": {
        "label": "Authorization server",
        "description": "Empty: https://oauth.bitrix.info/oauth/token/, or what its answers name.",
        "schema": {"type": ["string", "null"], "section": "OAuth application"},
    },
    "token_store": {
        "label": "Token store",
        "description": "Where workers keep renewed tokens: file:/path, redis://:password@host:6379/0 or the dotted "
        "path of a class. A file is for one host. Empty: Airflow's variables.",
        "schema": {"type": ["string", "null"], "format": "password", "section": "OAuth application"},
    },
    "verify": {
        "label": "Verify TLS",
        "description": "true, false, or the path of a file with CA certificates. Empty: the environment decides.",
        "schema": {"type": ["string", "null"], "section": "Network"},
    },
    "timeout": {
        "label": "Read timeout, s",
        "description": "How long to wait for an answer. The cloud gives a call 60 s. Empty: 75.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "section": "Network"},
    },
    "proxy": {
        "label": "Proxy",
        "description": "http://user:password@proxy:3128. Empty: the environment decides.",
        "schema": {"type": ["string", "null"], "format": "password", "section": "Network"},
    },
    "allowed_domains": {
        "label": "Allowed domains",
        "description": "Where a renamed portal may redirect to, separated by commas. Empty: only the portal itself.",
        "schema": {"type": ["string", "null"], "section": "Network"},
    },
    "allow_http": {
        "label": "Allow http://",
        "description": "Send secrets unencrypted. Only for a portal inside your own network.",
        "schema": {"type": ["boolean", "null"], "section": "Network"},
    },
    "max_response_mib": {
        "label": "Largest answer, MiB",
        "description": "An answer above this is refused. Empty: 64.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "section": "Network"},
    },
    "plan": {
        "label": "Plan",
        "description": "standard or enterprise: how many requests the portal takes. Empty: standard.",
        "schema": {"type": ["string", "null"], "enum": ["standard", "enterprise"], "section": "Limits"},
    },
    "rate": {
        "label": "Requests a second",
        "description": "Empty: the plan's. Divide it by the number of pods that count alone.",
        "schema": {"type": ["number", "null"], "minimum": 0, "section": "Limits"},
    },
    "burst": {
        "label": "Requests at once",
        "description": "Empty: the plan's.",
        "schema": {"type": ["number", "null"], "minimum": 1, "section": "Limits"},
    },
    "limiter": {
        "label": "Request bucket of several hosts",
        "description": "redis://:password@host:6379/0. Empty: each host counts alone.",
        "schema": {"type": ["string", "null"], "format": "password", "section": "Limits"},
    },
    "parallel": {
        "label": "Requests under way",
        "description": "Most that a task has under way at once; 1: one after the other. Empty: 20.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100, "section": "Limits"},
    },
    "metrics": {
        "label": "Metrics",
        "description": "on or off: count requests in Airflow's metrics. Empty: on, where Airflow has any.",
        # Not a boolean: the form of Airflow 2 stores false for one that nobody has touched.
        "schema": {"type": ["string", "null"], "enum": ["on", "off"], "section": "Limits"},
    },
    "operating_budget": {
        "label": "Operating time, s",
        "description": "How long one method may run in ten minutes, all calls together. Empty: 400.",
        "schema": {"type": ["number", "null"], "minimum": 1, "section": "Limits"},
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return one description that is valid for ``provider_info.schema.json`` of Airflow 2.11 and of 3.x."""
    return {
        "package-name": "airflow-provider-bitrix24",
        "name": _NAME,
        "description": "`Bitrix24 <https://www.bitrix24.com/>`__: CRM data and payments through its REST API",
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://apidocs.bitrix24.com/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": _NAME, "python-modules": [f"{_PACKAGE}.hooks.bitrix24"]}],
        "operators": [
            {"integration-name": _NAME, "python-modules": [f"{_PACKAGE}.operators.{name}" for name in _OPERATORS]}
        ],
        "sensors": [{"integration-name": _NAME, "python-modules": [f"{_PACKAGE}.sensors.{name}" for name in _SENSORS]}],
        "transfers": [
            {
                "source-integration-name": _NAME,
                "target-integration-name": target,
                "python-module": f"{_PACKAGE}.transfers.{name}",
            }
            for name, target in _TRANSFERS.items()
        ],
        "triggers": [
            {"integration-name": _NAME, "python-modules": [f"{_PACKAGE}.triggers.{name}" for name in _TRIGGERS]}
        ],
        "notifications": [f"{_PACKAGE}.notifications.bitrix24.Bitrix24Notifier"],
        "extra-links": [f"{_PACKAGE}.links.bitrix24.Bitrix24Link"],
        "connection-types": [
            {
                "connection-type": "bitrix24",
                "hook-class-name": _HOOK,
                "hook-name": _NAME,
                "ui-field-behaviour": STANDARD_FIELDS,
                "conn-fields": EXTRA_FIELDS,
            }
        ],
    }
