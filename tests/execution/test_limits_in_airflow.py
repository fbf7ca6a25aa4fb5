"""
Tasks whose method is blocked, in a real Airflow with its scheduler, 2.11 and 3: with a triggerer, and without one.

It takes minutes and a gigabyte, so it runs only with ``BITRIX24_STANDALONE=1``.
"""

from __future__ import annotations

import json
import os

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.execution import unanswered_dag
from tests.whole_airflow import IS_2, WholeAirflow

in_airflow = pytest.mark.skipif("BITRIX24_STANDALONE" not in os.environ, reason="BITRIX24_STANDALONE is not set")

#: More deals for a longer run: ``BITRIX24_WAITING_DEALS=200000``.
DEALS = int(os.environ.get("BITRIX24_WAITING_DEALS", "6000"))
COMPANIES, BLOCKS = 5000, 3
#: As good as none: what is tested is not the request bucket.
WIDE_OPEN = {"rate": 100_000, "burst": 100_000}
LIST, ADD = "crm.item.list", "crm.item.add"
USUAL_END = "was not resumed in time: is a triggerer running?"
SENSORS = ("Bitrix24ItemSensor", "Bitrix24PaymentSensor", "Bitrix24Sensor")
ENDS = {
    **dict.fromkeys(SENSORS, "no triggerer answered: is one running?"),
    "asleep": "of its patience of 70 s it has slept 6",
    "impatient": "of its patience of 30 s it has slept 0 s",
}


@in_airflow
def test_tasks_are_deferred_three_times_and_end_complete_though_the_triggerer_is_killed(tmp_path):
    # A portal that does not say when a block ends is asked again after a minute, and not after ten.
    with Sandbox(deals=DEALS, operating_shown=False) as portal:
        whole = WholeAirflow(tmp_path / "home", portal.connection_json(**WIDE_OPEN))
        try:
            rows = [{"title": f"Firm {number}"} for number in range(COMPANIES)]
            (whole.home / "companies.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
            faults = block(portal)
            whole.wait_until_healthy()
            app = portal.application()
            whole.connect(
                bitrix24_edited=portal.connection_json(portal.clerk, **WIDE_OPEN),
                bitrix24_app=portal.oauth_connection_json(app, **WIDE_OPEN),
            )
            whole.begin("from tests.execution.limited_dag import dag  # airflow DAG\n")
            for number in range(BLOCKS):
                wait_until_deferred(whole, faults)
                if number == 1:
                    whole.kill_triggerer()
                    whole.connect(bitrix24_edited=portal.connection_json(portal.admin, **WIDE_OPEN))
                    portal.clerk.rights.discard("read")
                    app.expire_access_tokens()
                portal.clear_faults()
                faults = block(portal) if number < BLOCKS - 1 else []
            whole.wait_for("limited", 2)
            assert whole.task_states("limited") == {"load": "success", "write": "success"}
            results = whole.xcoms("limited")
            tries = dict(whole.rows("SELECT task_id, try_number FROM task_instance"))
        finally:
            whole.stop()
        assert tries == {"load": 1, "write": 1}
        assert portal.renewals == 1
        assert results["load"]["rows"] == DEALS
        assert [row["id"] for row in loaded(whole.home / "deals")] == [deal["id"] for deal in portal.items(2)]
        assert (results["write"]["written"], results["write"]["rows"]) == (COMPANIES, COMPANIES)
        assert portal.executed(ADD) == COMPANIES
        print(f"{portal.count(LIST)} pages of {DEALS // 50}, {results['load']['parts']} parts")
        titles = [item["title"] for item in portal.items(4) if item["title"].startswith("Firm ")]
        assert sorted(titles) == sorted(row["title"] for row in rows)


@in_airflow
def test_without_a_triggerer_each_task_ends_in_time_and_says_what_to_do(tmp_path):
    names = unanswered_dag.FEW if IS_2 else tuple(unanswered_dag.operators())
    with Sandbox(deals=1) as portal:
        portal.fault("operation_time_limit", "*", times=None)
        whole = WholeAirflow(tmp_path / "home", portal.connection_json(**WIDE_OPEN))
        try:
            whole.wait_until_healthy()
            whole.end_triggerer()
            whole.begin(f"from tests.execution.unanswered_dag import made\ndag = made({names!r})  # airflow DAG\n")
            whole.wait_for("unanswered", len(names) + 2, patience_seconds=600)
            states = whole.task_states("unanswered")
            took = dict(
                whole.rows("SELECT task_id, 86400 * (julianday(end_date) - julianday(start_date)) FROM task_instance")
            )
            logs = {name: whole.log_of("unanswered", name) for name in states}
        finally:
            whole.stop()
    print({name: round(seconds) for name, seconds in took.items()})
    assert set(states.values()) == {"failed"}
    unclear = {name: log[-1500:] for name, log in logs.items() if ENDS.get(name, USUAL_END) not in log}
    assert not unclear, unclear
    assert {name for name, seconds in took.items() if seconds > unanswered_dag.TIMEOUT.total_seconds() + 60} == set()


def test_every_operator_and_sensor_is_among_them():
    assert set(unanswered_dag.operators()) - set(unanswered_dag.ARGUMENTS) == set()


def block(portal):
    """Block both methods from the middle of what is left on."""
    return [
        portal.fault("operation_time_limit", LIST, after=DEALS // 50 // 5, times=None),
        portal.fault("operation_time_limit", ADD, after=COMPANIES // 5, times=None),
    ]


def wait_until_deferred(whole, faults):
    """Until all have met their limit, and no slot is held: no task runs or waits for one."""
    deferred = dict.fromkeys(("load", "write"), "deferred")
    whole.until(lambda: all(fault.hits for fault in faults) and whole.task_states("limited") == deferred, "deferred")


def loaded(folder):
    (load,) = [file.parent for file in folder.glob("load=*/_SUCCESS")]
    manifest = json.loads((load / "_manifest.json").read_text())
    return [json.loads(line) for part in manifest["parts"] for line in (load / part["name"]).read_text().splitlines()]
