"""
Delete payments from a DAG in real Airflow, at a Bitrix24 on this computer: ``make demo``.

Prints what a user would see, and exits 0 only if every step has the promised result. Leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.sandbox import Sandbox

DAGS = Path(__file__).parent.parent / "example_dags"
DAG_ID = "example_bitrix24_delete_payment"
TASK_ID = "delete_payment"
#: A run takes about 15 s; a retry, which must not happen, would wait for five minutes.
RUN_SECONDS = 120


class Airflow:
    """An Airflow whose home, with a new SQLite database, is one directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def command(self, *arguments: str, connection: str = "") -> tuple[int, str]:
        """Run ``airflow …`` and return its exit code and its output."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env={**self.settings, "AIRFLOW_CONN_BITRIX24_DEFAULT": connection},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout

    def select(self, statement: str) -> list[Any]:
        database = sqlite3.connect(self.home / "airflow.db")
        try:
            return database.execute(statement, (DAG_ID, TASK_ID)).fetchall()
        finally:
            database.close()

    def task_tries(self) -> list[tuple[str, int, int]]:
        """State, number of tries and allowed retries of each delete, oldest first."""
        return self.select(
            "SELECT tried.state, try_number, max_tries FROM task_instance AS tried JOIN dag_run USING (dag_id, run_id)"
            " WHERE dag_id = ? AND task_id = ? ORDER BY dag_run.id, map_index"
        )

    def xcoms(self) -> list[str]:
        """What each delete returned, as the JSON text in the database."""
        rows = self.select(
            "SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = 'return_value'"
            " ORDER BY dag_run_id, map_index"
        )
        # Airflow 2 keeps it as bytes.
        return [value.decode() if isinstance(value, bytes) else str(value) for (value,) in rows]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="airflow-bitrix24-demo-") as home, Sandbox() as portal:
        airflow = Airflow(Path(home))
        code, output = airflow.command("db", "migrate")
        require(code == 0, f"Airflow made its database:\n{output}")

        unpaid, paid = ({row["dealId"] for row in portal.payments() if row["paid"] == flag} for flag in "NY")
        print("1. As a user who may change orders")
        delete_as_administrator(airflow, portal, min((unpaid & paid) - {None}))
        print("\n2. The same DAG as a user who may not")
        fail_as_clerk(airflow, portal, min(unpaid - paid - {None}))
    print("\nEvery step had the promised result.")


def delete_as_administrator(airflow: Airflow, portal: Sandbox, deal_id: int) -> None:
    before = show_payments(portal, deal_id, "before")
    unpaid = [payment["id"] for payment in before if payment["paid"] == "N"]

    code, output = run_dag(airflow, portal, portal.admin, deal_id)
    require(code == 0, f"the run succeeded:\n{output}")
    xcoms = airflow.xcoms()
    print(f"   XCom of {TASK_ID}: {', '.join(xcoms)}")
    require(xcoms == ["true"] * len(unpaid), "each delete pushed the boolean true")
    after = show_payments(portal, deal_id, "after")
    require(after == [payment for payment in before if payment["paid"] == "Y"], "only the unpaid payments are gone")
    require(portal.count("crm.item.payment.delete") == len(unpaid), "each of them was deleted with one request")


def fail_as_clerk(airflow: Airflow, portal: Sandbox, deal_id: int) -> None:
    before = show_payments(portal, deal_id, "before")
    earlier = len(airflow.task_tries())

    code, output = run_dag(airflow, portal, portal.clerk, deal_id)
    require(code != 0, "the run failed")
    for state, tries, retries in airflow.task_tries()[earlier:]:
        print(f"   {TASK_ID}: {state}, tries {tries}, retries={retries}")
        require((state, tries, retries) == ("failed", 1, 3), "it failed on the first try although retries=3")
    require(len(airflow.task_tries()) > earlier, "the delete was tried")
    require("ACCESS_DENIED" in output, "the message names the portal's code")
    require(show_payments(portal, deal_id, "after") == before, "no payment was touched")


def run_dag(airflow: Airflow, portal: Sandbox, user: Any, deal_id: int) -> tuple[int, str]:
    conf = json.dumps({"deal_id": deal_id})
    print(f"   $ airflow dags test {DAG_ID} -c '{conf}'")
    code, output = airflow.command("dags", "test", DAG_ID, "-c", conf, connection=portal.connection_json(user))
    for line in output.splitlines():
        if "operators.payment.Bitrix24DeletePaymentOperator]" in line or line.startswith("airflow.sdk.exceptions."):
            print("   |", line.partition(" [airflow.task")[0].rstrip())
    printed = [line for line in output.splitlines() if user.code in line and not _registers(line)]
    require(not printed, "the webhook code is nowhere in Airflow's output")
    return code, output


def _registers(line: str) -> bool:
    """Whether Airflow prints a secret as it registers it: `dags test` of Airflow 3.0 is always at DEBUG."""
    return version("apache-airflow").startswith("3.0.") and "MaskSecret(" in line


def show_payments(portal: Sandbox, deal_id: int, when: str) -> list[dict[str, Any]]:
    payments = [payment for payment in portal.payments() if payment["dealId"] == deal_id]
    listed = [f"{payment['id']} ({'paid' if payment['paid'] == 'Y' else 'unpaid'})" for payment in payments]
    print(f"   payments of deal {deal_id} {when}: {', '.join(listed) or 'none'}")
    return payments


def require(holds: bool, promise: str) -> None:
    if not holds:
        sys.exit(f"The demo failed. This did not hold: {promise}")


if __name__ == "__main__":
    main()
