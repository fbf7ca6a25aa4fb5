"""Runs of subjects: each in a new process, the portal asked afterwards what it saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.bulk_write import source
from bench.portal import Portal, Seen
from bench.postgres import PostgresServer


@dataclass(frozen=True)
class Run:
    """
    One or several processes of one subject at the same task.

    :param seconds: of the slowest of them, without starting Python and importing.
    :param cpu_seconds: of all of them.
    :param growth_mib: the largest growth of a process's memory.
    :param failure: the last line of a process that failed; the numbers are then those up to the failure.
    """

    seconds: float
    cpu_seconds: float
    growth_mib: float
    seen: Seen
    failure: str = ""


class Bench(ExitStack):
    """Where processes run: with a temporary directory of their own, and trusting the portal."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="bitrix24-bench-")))

    def run(
        self, portal: Portal, subject: str, task: str, *, limited: bool = False, processes: int = 1, **asked: Any
    ) -> Run:
        text = json.dumps({"webhook": portal.webhook, "limited": limited, **asked})
        return self._measured(portal, ["bench.subject", subject, task], text, processes)

    def write(self, portal: Portal, kind: str, number: int, size: int = 192) -> Run:
        """
        The operator for bulk writes, with so many rows of a source.

        :param kind: one of ``bulk_write.SOURCES``.
        :param size: characters of a row's text.
        """
        with source(kind, number, self.directory, size) as (sources, more):
            text = json.dumps({"rows": number, "sources": sources})
            bitrix24 = {"AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection}
            return self._measured(portal, ["bench.bulk_write"], text, **bitrix24, **more)

    def load(self, portal: Portal, work: str, deals: int) -> Run:
        """
        All deals with all their fields.

        :param work: what is done with them, one of ``files.WORK``.
        """
        text = json.dumps({"work": work, "deals": deals})
        return self._measured(portal, ["bench.files"], text, AIRFLOW_CONN_BITRIX24_DEFAULT=portal.connection)

    def load_table(self, portal: Portal, server: PostgresServer, work: str, run: int) -> Run:
        """
        All deals with all their fields into a table.

        :param work: what brings them, one of ``tables.WORK``.
        :param run: its number: the rows of an earlier one are there.
        """
        # On another worker dlt has nothing in its folder.
        folder = str(self.directory / f"dlt-{run}")
        text = json.dumps({"work": work, "run": run, "folder": folder, "address": server.address})
        more = {
            "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection, "AIRFLOW_CONN_WAREHOUSE": server.connection_json(),
            "DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false", "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
        }  # fmt: skip
        return self._measured(portal, ["bench.tables"], text, **more)

    def _measured(self, portal: Portal, module: Sequence[str], text: str, processes: int = 1, **more: str) -> Run:
        """
        :param text: for the standard input of each process.
        :param more: variables of their environment.
        """
        portal.forget_calls()
        running = [
            subprocess.Popen(
                [sys.executable, "-m", *module], env={**self.environment(portal), **more}, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(processes)
        ]  # fmt: skip
        for process in running:
            if process.stdin is not None:
                process.stdin.write(text)
                process.stdin.close()
                process.stdin = None
        ended = [(*process.communicate(), process.returncode) for process in running]
        failures = [errors.strip().splitlines()[-1] for _, errors, code in ended if code]
        measured = [json.loads(output.splitlines()[-1]) for output, _, code in ended if not code]
        return Run(
            max((figures["seconds"] for figures in measured), default=0.0),
            sum(figures["cpu_seconds"] for figures in measured),
            max((figures["growth_mib"] for figures in measured), default=0.0),
            portal.seen(),
            failures[0] if failures else "",
        )

    def import_seconds(self, module: str, *, after: str = "") -> float:
        """How long importing a module takes, where others have been imported already."""
        return self.printed_number(
            f"{after}\nimport time; began = time.perf_counter()\nimport {module}\nprint(time.perf_counter() - began)"
        )

    def printed_number(self, code: str) -> float:
        """The number that Python code prints last, run in a process of its own."""
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=True)
        return float(done.stdout.splitlines()[-1])

    def environment(self, portal: Portal | None = None) -> dict[str, str]:
        trust = {"REQUESTS_CA_BUNDLE": portal.ca_file, "SSL_CERT_FILE": portal.ca_file} if portal else {}
        proxies = ("http_proxy", "https_proxy", "all_proxy")
        return {
            **{name: value for name, value in os.environ.items() if name.lower() not in proxies},
            **trust,
            "AIRFLOW_HOME": str(self.directory / "airflow"),
            # Where this host's request buckets are kept: each bench begins with none.
            "TMPDIR": str(self.directory),
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
