"""
A payment is paid in the portal, and a DAG starts. Airflow 3, with an OAuth application (docs/events.md).

Unpause it, and pay a payment of a deal: the run's XCom of ``paid`` has it. When you are done, pause it and run
``python -m airflow_provider_bitrix24.events unbind bitrix24_default ONPAYMENTENTITYSAVED``.
"""

from __future__ import annotations

from datetime import datetime

try:
    from airflow.sdk import DAG, Asset, AssetWatcher, task
except ImportError:
    # Airflow 2 watches nothing: there an outgoing webhook starts a DAG, see docs/events.md.
    dag = None
else:
    from airflow_provider_bitrix24.events import new_events
    from airflow_provider_bitrix24.exceptions import NotFound
    from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_bitrix24.triggers.events import Bitrix24EventTrigger

    PAYMENTS = Asset(
        name="bitrix24_payments",
        watchers=[AssetWatcher(name="payments", trigger=Bitrix24EventTrigger(events=["ONPAYMENTENTITYSAVED"]))],
    )

    with DAG(
        dag_id="example_bitrix24_payment_paid",
        schedule=[PAYMENTS],
        start_date=datetime(2026, 1, 1),
        max_active_runs=1,
        tags=["example", "bitrix24"],
    ) as dag:

        @task(inlets=[PAYMENTS], retries=3)
        def paid(**context) -> list[dict]:
            """The payments that are paid now, of those that were saved: an event does not say what was changed."""
            saved = sorted({event["object_id"] for event in new_events(context)})
            reads = {payment: ("crm.item.payment.get", {"id": payment}) for payment in saved}
            answers = Bitrix24Hook().get_conn().batch(reads)
            for error in answers.errors.values():
                # One that is gone by now is not paid.
                if not isinstance(error, NotFound):
                    raise error
            return [
                {"payment": row["id"], "sum": row["sum"], "currency": row["currency"]}
                for row in answers.results.values()
                if row["paid"] == "Y"
            ]

        @task
        def ship(payment: dict) -> str:
            """Whatever follows a payment."""
            return f"payment {payment['payment']}: {payment['sum']} {payment['currency']}"

        ship.expand(payment=paid())
