"""The page at ``/`` for a person who watches: what the portal holds, and the last calls; no codes and no tokens."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    COMPANY,
    CONTACT,
    DEAL,
    INVOICE,
    LEAD,
    QUOTE,
    SMART_PROCESS,
    Row,
)
from airflow_provider_bitrix24.sandbox.methods.registry import METHODS
from airflow_provider_bitrix24.sandbox.php import SERVER_ZONE
from airflow_provider_bitrix24.sandbox.state.calls import Call
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import PAY_SYSTEMS, Table

SHOWN_PAYMENTS = 200
SHOWN_CALLS = 30
SHOWN_CHARACTERS = 60

_CRM_KINDS = {
    DEAL: "Deals",
    LEAD: "Leads",
    CONTACT: "Contacts",
    COMPANY: "Companies",
    QUOTE: "Quotes",
    INVOICE: "Invoices",
    SMART_PROCESS: "Smart process items",
}

#: What an object is called, by the first of these fields that has a text.
_LABELS = ("title", "SUBJECT", "COMMENT", "MESSAGE", "productName", "accountNumber")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2">
<title>Bitrix24 sandbox</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem auto; max-width: 104rem; padding: 0 1rem; color: #223; }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 2rem; }}
th, td {{ text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #dde; overflow-wrap: break-word; }}
th {{ white-space: nowrap; }}
th.number, td.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
tr.none td {{ color: #778; }}
.no {{ color: #b00020; }}
.yes {{ color: #1b6e3c; }}
@media (min-width: 90rem) {{ main {{ display: grid; grid-template-columns: 11fr 10fr; gap: 0 2rem; }} }}
</style>
</head>
<body>
<h1>Bitrix24 sandbox</h1>
<p>{deals} deals, {payments} payments, {requests} requests; {now} at the portal.
This page renews itself every two seconds.</p>
<main>
<section>
<h2>Objects</h2>
<table><tr><th>kind</th><th class="number">type id</th><th class="number">count</th><th>first</th><th>last</th></tr>
{object_rows}
</table>
<h2>Payments</h2>
<table><tr><th>id</th><th>number</th><th>of</th><th class="number">sum</th><th>paid</th><th>by</th></tr>
{payment_rows}
</table>
</section>
<section>
<h2>Last calls</h2>
<table><tr><th>at</th><th>method</th><th>as</th><th>status</th><th>outcome</th></tr>
{call_rows}
</table>
</section>
</main>
</body>
</html>
"""


def render(portal: PortalState) -> str:
    return _Page(portal).render()


class _Page:
    def __init__(self, portal: PortalState) -> None:
        self._portal = portal
        secrets = {user.code for user in portal.users.values() if user.code}
        for application in portal.applications.values():
            secrets |= application.secrets()
        # The longest first: of two that begin alike, the rest of the longer one would stay.
        self._secret = re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True))) or "(?!)")

    def render(self) -> str:
        portal = self._portal
        payments = portal.store.payments
        payment_rows = [self._payment_row(payment) for payment in islice(payments, SHOWN_PAYMENTS)]
        if len(payments) > SHOWN_PAYMENTS:
            payment_rows.append(f'<tr><td colspan="6">and {len(payments) - SHOWN_PAYMENTS} more</td></tr>')
        return _PAGE.format(
            deals=len(portal.store.items[DEAL]),
            payments=len(payments),
            requests=portal.log.requests,
            now=_time(portal.clock.now()),
            object_rows="\n".join(self._object_rows()),
            payment_rows="\n".join(payment_rows),
            call_rows="\n".join(self._call_row(call) for call in islice(reversed(portal.log.calls), SHOWN_CALLS)),
        )

    def _text(self, value: object) -> str:
        """Safe to show: texts come from whoever calls, and a caller may have written a webhook's URL into one."""
        text = self._secret.sub("…", str(value))
        return html.escape(text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…")

    def _object_rows(self) -> Iterator[str]:
        store = self._portal.store
        for entity_type_id, name in _CRM_KINDS.items():
            yield self._object_row(name, _ends(store.items[entity_type_id]), entity_type_id)
        others = {
            "Payments": store.payments,
            "Lines of payments": store.payment_items,
            "Deliveries": store.deliveries,
            "Product rows": store.product_rows,
            "Activities": store.activities,
            "Requisites": store.requisites,
            "Comments": store.comments,
            "Changes of stage": store.stage_history,
            "Tasks": store.tasks,
            "Notifications": store.notifications,
            "Messages": store.messages,
        }
        for name, table in others.items():
            yield self._object_row(name, _ends(table))
        users = list(self._portal.users.values())
        yield self._object_row("Users", (len(users), [f"{user.id} {user.name}" for user in (users[0], users[-1])]))

    def _object_row(self, name: str, ends: tuple[int, Iterable[str]], entity_type_id: int | None = None) -> str:
        count, labels = ends
        first, last = ([self._text(label) for label in labels] + ["", ""])[:2]
        start = '<tr class="none">' if not count else "<tr>"
        kind = "" if entity_type_id is None else entity_type_id
        return (
            f'{start}<td>{name}</td><td class="number">{kind}</td><td class="number">{count:,}</td>'
            f"<td>{first}</td><td>{last}</td></tr>"
        )

    def _payment_row(self, payment: Row) -> str:
        owner = "deal" if payment["entityTypeId"] == DEAL else "invoice"
        paid = '<td class="yes">yes</td>' if payment["paid"] == "Y" else "<td>no</td>"
        return (
            f"<tr><td>{payment['id']}</td><td>{self._text(payment['accountNumber'])}</td>"
            f"<td>{owner} {payment['entityId']}</td>"
            f'<td class="number">{payment["sum"]:,.2f} {self._text(payment["currency"])}</td>{paid}'
            f"<td>{self._text(PAY_SYSTEMS.get(payment['paySystemId'], ''))}</td></tr>"
        )

    def _call_row(self, call: Call) -> str:
        user = self._portal.users.get(call.user_id) if call.user_id is not None else None
        # The method comes from the address: a mangled one may hold the code of another portal.
        is_known = user is not None or call.method.lower() in METHODS
        method = self._text(call.method) if is_known else "unknown method"
        inside = f" ({len(call.commands)} commands)" if call.commands else ""
        name = "nobody" if user is None else self._text(user.name)
        by = name if call.client_id is None else f"{name} (application)"
        status = call.status if call.status is not None else "none"
        return (
            f"<tr><td>{_time(call.at)}</td><td>{method}{inside}</td><td>{by}</td><td>{status}</td>"
            f"{self._outcome(call)}</tr>"
        )

    def _outcome(self, call: Call) -> str:
        if call.error is not None:
            return f'<td class="no">{self._text(call.error or "empty code")}</td>'
        if not call.executed:
            return '<td class="no">not done</td>'
        failed = sum(not command.executed for command in call.commands)
        if failed:
            return f'<td class="no">{failed} of {len(call.commands)} commands failed</td>'
        return '<td class="yes">done</td>'


def _ends(table: Table) -> tuple[int, list[str]]:
    """How many rows, and the first and the last of them in words."""
    return len(table), [_label(table.rows[row_id]) for row_id in (*table.ids[:1], *table.ids[-1:])]


def _label(row: Row) -> str:
    label = next((row[name] for name in _LABELS if row.get(name)), None)
    words = (label,) if label else (row.get("name"), row.get("lastName"))
    return " ".join(str(word) for word in (row["id"], *words) if word)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, SERVER_ZONE).strftime("%H:%M:%S")
