"""
The tutorial as it is written: its commands in shells, its clicks in Chromium.

Only the installation is left out: the programs of this environment stand for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_bitrix24.sandbox import unused_port
from tests.browser.airflow_pages import chromium
from tests.standalone import PATIENCE_SECONDS, ROOT
from tests.whole_airflow import IS_2

pytestmark = [
    pytest.mark.skipif("BITRIX24_CHROMIUM" not in os.environ, reason="BITRIX24_CHROMIUM is not set"),
    pytest.mark.skipif(IS_2, reason="the tutorial is about Airflow 3"),
]
PAGE = (ROOT / "docs" / "tutorial.md").read_text()


class Shell:
    """Runs one block after the other, each with the variables that those before it have exported."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.variables = folder, variables

    def run(self, block: str, *, may_fail: bool = False) -> str:
        after = self.folder / "variables"
        done = subprocess.run(
            ["bash", "-c", f"{block}\ncode=$?; env -0 > {after}; exit $code"],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert may_fail or done.returncode == 0, done.stdout
        self.variables = dict(line.split("=", 1) for line in after.read_text().split("\0") if line)
        return done.stdout

    def start(self, block: str) -> subprocess.Popen[bytes]:
        """Start what runs until Ctrl-C."""
        with (self.folder / "started.log").open("ab") as log:
            return subprocess.Popen(
                ["bash", "-c", block],
                cwd=self.folder,
                env=self.variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def press_ctrl_c(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    # Parts of Airflow may outlive it on a computer with much else to do.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_step_does_what_the_page_says(tmp_path):
    install, home, sandbox, check, curl, once, standalone, clerk, _your_portal = blocks("bash")
    (dag,) = blocks("python")
    listed, deleted, refused = blocks("text")
    assert "pip install" in install
    port = str(unused_port())
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Where others run tests, 8080 may be taken.
    ports = {
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
    }
    first = Shell(tmp_path, {**ours, **ports, "PATH": path, "PYTHONPATH": str(ROOT)})
    assert "bitrix24" in first.run(home)
    running = [first.start(sandbox)]
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not (tmp_path / "sandbox.env").exists() and time.monotonic() < until:
            time.sleep(0.2)
        second = Shell(tmp_path, first.variables)
        assert "Anna Admin" in second.run(check)
        assert second.run(curl).strip().splitlines()[-1].startswith(listed.partition("…")[0])
        (tmp_path / "airflow" / "dags" / "first_deletion.py").write_text(dag)
        said = deleted.partition(" in ")[0]
        assert said in second.run(once)
        assert said not in second.run(once)

        running.append(second.start(standalone))
        with chromium() as page:
            delete_in_the_page(page, f"http://localhost:{port}")
        press_ctrl_c(running.pop())

        failed = second.run(clerk, may_fail=True)
        address = re.search(r"https://127\.0\.0\.1:\d+", failed)[0]
        for line in refused.replace("https://127.0.0.1:PORT", address).strip().splitlines():
            assert line in failed
    finally:
        for process in running:
            press_ctrl_c(process)


def delete_in_the_page(page, url: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            page.goto(f"{url}/dags")
            break
        except Exception:
            assert time.monotonic() < until
            time.sleep(1)
    link = page.get_by_role("link", name="first_deletion", exact=True).first
    link.wait_for(timeout=PATIENCE_SECONDS * 1000)
    link.click()
    # The list has such buttons too.
    page.wait_for_url("**/dags/first_deletion**")
    page.get_by_role("link", name="Code", exact=True).wait_for()
    # Switched on, and triggered with another deal.
    page.locator("[data-scope=switch][data-part=root]").first.click()
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=element_deal_id]").fill("1")
    dialog.get_by_role("button", name="Trigger").last.click()
    # The page goes on to the run.
    done = page.get_by_role("row").filter(has_text="delete_payment").filter(has_text="Success")
    done.nth(1).wait_for(timeout=PATIENCE_SECONDS * 1000)
    page.get_by_role("link", name="delete_payment", exact=True).first.click()
    page.get_by_text(re.compile(r"crm\.item\.payment\.delete: payment 100[12] deleted in")).first.wait_for()
    page.get_by_role("link", name="Storage").click()
    page.get_by_text("XCom", exact=True).first.click()
    page.get_by_role("row").filter(has_text="return_value").filter(has_text="true").wait_for()
