"""
Make the pictures in ``docs/images`` of the pages of this Airflow; ``make screenshots`` runs it with 3.3 and 2.11.

Chromium must be installed (``apt-get install chromium``). It shows a portal of the sandbox, so hosts, ports and ids of
requests differ each time.
"""

from __future__ import annotations

import base64
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.browser.airflow_pages import ConnectionPages, chromium
from tests.whole_airflow import IS_2, WholeAirflow

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
VERSION = "2.11" if IS_2 else "3.3"
MOST_BYTES = 150_000
WEBHOOK = {"host": "my.bitrix24.com", "port": "443", "login": "1", "password": "a1b2c3d4e5f6g7h8"}


def main() -> None:
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="airflow-bitrix24-screenshots-") as folder, Sandbox() as portal:
        settings = {
            "AIRFLOW_CONN_BITRIX24_CLERK": portal.connection_json(portal.clerk),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.session",
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "",
        }
        whole = WholeAirflow(Path(folder) / "home", portal.connection_json(), settings)
        try:
            whole.serve_api()
            whole.begin(dags())
            with chromium(width=1280, height=1000) as page:
                forms(page, ConnectionPages(page, whole.url), portal)
                whole.wait_for("first_deletion", 3)
                whole.wait_for("as_a_clerk", 2)
                runs(page, whole)
        finally:
            whole.stop()
    for image in sorted(IMAGES.glob("*.png")):
        size = image.stat().st_size
        print(f"{image.relative_to(ROOT)}: {size} bytes")
        if size >= MOST_BYTES:
            sys.exit(f"{image.name} has more than {MOST_BYTES} bytes")


def dags() -> str:
    """Return the DAG of the tutorial, to run at once for its deal 1, and again as a user who may only read."""
    page = (ROOT / "docs" / "tutorial.md").read_text()
    (dag,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    dag = dag.replace("schedule=None", 'schedule="@once", start_date=datetime(2026, 1, 1)').replace("4}", "1}")
    dag = dag.replace("airflow.sdk import DAG", "airflow import DAG")
    clerk = dag[dag.index("with DAG") :].replace("first_deletion", "as_a_clerk").replace('deal_id": 1', 'deal_id": 4')
    clerk = clerk.replace("retries=3", 'bitrix24_conn_id="bitrix24_clerk", retries=3')
    return f"from datetime import datetime\n\n{dag}\n\n{clerk}"


def forms(page: Any, pages: Any, portal: Sandbox) -> None:
    fields = portal.connection()
    host, _, port = fields["host"].partition("//")[2].partition(":")
    pages.begin("my_portal")
    pages.fill(WEBHOOK, {})
    if IS_2:
        # The whole form is three screens long.
        picture(page, "connection-form", clip={"x": 0, "y": 60, "width": 1280, "height": 1290}, full_page=True)
        return
    picture(page, "connection-form")
    pages.open_section("OAuth application")
    page.wait_for_timeout(500)
    pages.form.get_by_text("Authorization server", exact=True).scroll_into_view_if_needed()
    picture(page, "connection-application")
    stored = {"host": host, "port": port, "login": fields["login"], "password": fields["password"]}
    # Another id than that of the variable, with which Airflow would compare it.
    works, shown = pages.make_and_test("my_portal", stored, fields["extra"])
    if not works:
        sys.exit(shown)
    picture(page, "connection-test", clip={"x": 0, "y": 100, "width": 1280, "height": 900})


def runs(page: Any, whole: WholeAirflow) -> None:
    for dag_id, task_id, name in (
        ("first_deletion", "delete_payment", "task-done"),
        ("as_a_clerk", "delete_payment", "task-failed"),
    ):
        if IS_2 and name == "task-done":
            continue
        ((run_id,),) = whole.rows("SELECT run_id FROM dag_run WHERE dag_id = ?", dag_id)
        run = quote(run_id, safe="")
        if IS_2:
            page.goto(f"{whole.url}/dags/{dag_id}/grid?dag_run_id={run}&task_id={task_id}&tab=logs&map_index=0")
            page.get_by_text("Task failed with exception").first.wait_for()
        else:
            page.goto(f"{whole.url}/dags/{dag_id}/runs/{run}/tasks/{task_id}/mapped/0")
            page.get_by_text("Post Execute").wait_for()
        if name == "task-done":
            picture(page, name, clip={"x": 0, "y": 0, "width": 1280, "height": 620})
        else:
            # Not what follows: it names folders of this computer.
            picture(page, name, clip=between(page, "What to do", "Task failed with exception"))


def between(page: Any, first: str, last: str) -> dict[str, float]:
    """Return the part of a page from one text to another, as wide as the page."""
    top, bottom = (page.get_by_text(text).first.bounding_box() for text in (first, last))
    height = bottom["y"] + bottom["height"] - top["y"] + 12
    return {"x": 316, "y": top["y"] - 6, "width": 1280 - 316, "height": height}


def picture(page: Any, name: str, **options: Any) -> None:
    # Movements of the page have ended then.
    page.wait_for_timeout(1000)
    page.screenshot(path=IMAGES / f"{name}-{VERSION}.png", animations="disabled", **options)


if __name__ == "__main__":
    main()
