"""
A deal reaches "won" in the portal, and its row is written to a file of JSON lines. Airflow 3; any connection will do.

Unpause it, and move a deal to its successful stage.
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
    from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
    from airflow_provider_bitrix24.triggers.changes import Bitrix24ChangesTrigger

    # "S": the deal is in a successful stage, in whichever pipeline.
    WON = {"=stageSemanticId": "S"}
    WON_DEALS = Asset(
        name="bitrix24_won_deals",
        watchers=[AssetWatcher(name="won", trigger=Bitrix24ChangesTrigger(entity_type_id=2, item_filter=WON))],
    )

    with DAG(
        dag_id="example_bitrix24_deal_won",
        schedule=[WON_DEALS],
        start_date=datetime(2026, 1, 1),
        max_active_runs=1,
        params={"folder": "file:///tmp/won_deals"},
        render_template_as_native_obj=True,
        tags=["example", "bitrix24"],
    ) as dag:

        @task.short_circuit(inlets=[WON_DEALS], retries=3)
        def won(**context) -> list[int]:
            """Deals that were won, or changed after it. Without any, nothing is written."""
            return sorted({event["object_id"] for event in new_events(context)})

        rows = Bitrix24ListOperator(
            task_id="rows",
            method="crm.item.list",
            method_params={
                "entityTypeId": 2,
                "select": ["id", "title", "stageId", "opportunity", "currencyId"],
                "filter": {**WON, "@id": won()},
            },
            destination="{{ params.folder }}/{{ run_id | replace(':', '') }}.jsonl",
        )
