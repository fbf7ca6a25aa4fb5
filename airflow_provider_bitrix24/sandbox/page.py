"""The page at ``/``: payments and the last calls, for a person who watches. It shows no webhook code."""

from __future__ import annotations

import html
from datetime import datetime

from airflow_provider_bitrix24.sandbox.calls import Call
from airflow_provider_bitrix24.sandbox.limits import SERVER_ZONE
from airflow_provider_bitrix24.sandbox.state import PortalState
from airflow_provider_bitrix24.sandbox.store import DEAL, PAY_SYSTEMS, Row

SHOWN_PAYMENTS = 200
SHOWN_CALLS = 30

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>Bitrix24 sandbox</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #223; }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 2rem; }}
th, td {{ text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #dde; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.no {{ color: #b00020; }}
.yes {{ color: #1b6e3c; }}
</style>
</head>
<body>
<h1>Bitrix24 sandbox</h1>
<p>{deals} deals, {payments} payments, {requests} requests. This page renews itself every two seconds.</p>
<h2>Payments</h2>
<table><tr><th>id</th><th>number</th><th>of</th><th>sum</th><th>paid</th><th>by</th></tr>
{payment_rows}
</table>
<h2>Last calls</h2>
<table><tr><th>at</th><th>method</th><th>as</th><th>status</th><th>outcome</th></tr>
{call_rows}
</table>
</body>
</html>
"""


def render(portal: PortalState) -> str:
    payments = list(portal.store.payments)
    last_calls = list(portal.log.calls)[: -SHOWN_CALLS - 1 : -1]
    rows = [_payment_row(payment) for payment in payments[:SHOWN_PAYMENTS]]
    if len(payments) > SHOWN_PAYMENTS:
        rows.append(f'<tr><td colspan="6">and {len(payments) - SHOWN_PAYMENTS} more</td></tr>')
    return _PAGE.format(
        deals=len(portal.store.items[DEAL]),
        payments=len(payments),
        requests=portal.log.requests,
        payment_rows="\n".join(rows),
        call_rows="\n".join(_call_row(portal, call) for call in last_calls),
    )


def _payment_row(payment: Row) -> str:
    owner = "deal" if payment["entityTypeId"] == DEAL else "invoice"
    paid = '<td class="yes">yes</td>' if payment["paid"] == "Y" else "<td>no</td>"
    return (
        f"<tr><td>{payment['id']}</td><td>{payment['accountNumber']}</td><td>{owner} {payment['entityId']}</td>"
        f'<td class="number">{payment["sum"]:.2f} {html.escape(payment["currency"])}</td>{paid}'
        f"<td>{html.escape(PAY_SYSTEMS[payment['paySystemId']])}</td></tr>"
    )


def _call_row(portal: PortalState, call: Call) -> str:
    at = datetime.fromtimestamp(call.at, SERVER_ZONE).strftime("%H:%M:%S")
    user = portal.users.get(call.user_id) if call.user_id is not None else None
    if call.error is not None:
        outcome = f'<td class="no">{html.escape(call.error or "empty code")}</td>'
    elif call.executed:
        outcome = '<td class="yes">done</td>'
    else:
        outcome = '<td class="no">not done</td>'
    # The method comes from the address: a mangled one may hold a code, and only known names are safe to show.
    method = html.escape(call.method if user is not None else "unknown caller")
    inside = f" ({len(call.commands)} commands)" if call.commands else ""
    name = html.escape(user.name) if user is not None else "nobody"
    status = call.status if call.status is not None else "none"
    return f"<tr><td>{at}</td><td>{method}{inside}</td><td>{name}</td><td>{status}</td>{outcome}</tr>"
