"""
Links of tasks as a whole Airflow answers them through its API, which its pages ask.

It takes minutes and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1``.
"""

from __future__ import annotations

import os

import pytest
import requests

from airflow_provider_bitrix24.links.bitrix24 import Bitrix24Link
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.whole_airflow import IS_2, WholeAirflow

pytestmark = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")


def test_the_api_has_the_links_of_tasks_that_succeed_fail_and_are_mapped(tmp_path):
    with Sandbox(deals=3) as portal:
        settings = {"AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth"} if IS_2 else {}
        whole = WholeAirflow(tmp_path / "home", portal.connection_json(), settings)
        try:
            headers = whole.serve_api()
            whole.begin("from tests.links.linked_dag import dag  # airflow DAG\n")
            states = whole.wait_for("linked", 4)
            ((run_id,),) = whole.rows("SELECT run_id FROM dag_run WHERE dag_id = 'linked'")
            path = f"{whole.url}/api/{'v1' if IS_2 else 'v2'}/dags/linked/dagRuns/{run_id}/taskInstances"

            def link(task_id: str, map_index: int) -> str | None:
                query = {"map_index": map_index}
                answer = requests.get(
                    f"{path}/{task_id}/links", params=query, headers=headers, timeout=30, proxies={"http": ""}
                )
                found = answer.json()
                return (found if IS_2 else found["extra_links"])[Bitrix24Link.name]

            links = {(name, index): link(name, index) for name, index in (("deals", -1), ("time", -1))}
            links |= {("delete", index): link("delete", index) for index in (0, 1)}
            places = whole.places_of(portal.admin.code)
        finally:
            whole.stop()
        assert sorted(states) == ["failed", "success", "success", "success"]
        assert links == {
            ("deals", -1): f"{portal.url}/crm/deal/list/",
            ("time", -1): None,
            ("delete", 0): f"{portal.url}/shop/orders/payment/details/1001/",
            ("delete", 1): f"{portal.url}/shop/orders/payment/details/999999/",
        }
        assert places == []
