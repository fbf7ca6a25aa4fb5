"""
Mark the payments that a file from the bank names as paid.

The file is CSV with a deal, the payment's number as the portal shows it, and the amount: ``deal,payment,amount`` in the
first line, then lines such as ``13,3653/1,250.50``. If a line matches no unpaid payment, the run
fails at its end; the other payments are still marked, and running it again does no harm.

Run it with ``airflow dags test example_bitrix24_mark_paid -c '{"file": "file:///tmp/bank.csv"}'``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow_provider_bitrix24.operators.payment import Bitrix24PayPaymentOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

DEAL = 2  # entityTypeId

with DAG(
    dag_id="example_bitrix24_mark_paid",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"file": "s3://aws_default@my-bucket/bank.csv"},
    tags=["example", "bitrix24"],
) as dag:

    @task(retries=3)
    def matched(params: dict[str, str]) -> dict[str, list[Any]]:
        """Ids of the payments that the file names, and the lines that fit none."""
        import csv
        from decimal import Decimal

        from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

        try:
            from airflow.sdk import ObjectStoragePath
        except ImportError:  # Airflow 2
            from airflow.io.path import ObjectStoragePath

        lines = list(csv.DictReader(ObjectStoragePath(params["file"]).read_text().splitlines()))
        deals = [int(line["deal"]) for line in lines]
        with Bitrix24Hook().get_conn() as client:
            # One request for the payments of 50 deals.
            rows = client.children(
                "crm.item.payment.list", deals, lambda deal: {"entityTypeId": DEAL, "entityId": deal}
            )
            payments = {(deal, payment["accountNumber"]): payment for deal, payment in rows}
        ids, unmatched = [], []
        for line in lines:
            payment = payments.get((int(line["deal"]), line["payment"]))
            if payment is None or Decimal(str(payment["sum"])) != Decimal(line["amount"]):
                unmatched.append(line)
            else:
                ids.append(payment["id"])
        return {"ids": ids, "unmatched": unmatched}

    @task
    def ids_of(found: dict[str, list[Any]]) -> list[int]:
        """Airflow maps over a task's whole result only."""
        return found["ids"]

    @task(trigger_rule="all_done")
    def complain(found: dict[str, list[Any]]) -> None:
        """Lines that a person must look at."""
        if found["unmatched"]:
            raise ValueError(f"{len(found['unmatched'])} lines fit no payment: {found['unmatched']}")

    found = matched()
    pay = Bitrix24PayPaymentOperator.partial(task_id="pay", retries=3).expand(payment_id=ids_of(found))
    pay >> complain(found)
