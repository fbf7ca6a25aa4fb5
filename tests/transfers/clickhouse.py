"""ClickHouse for tests: the engine of the package chdb, which the official client talks to over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

#: ``1``, or the path of a Python that has chdb: the package is large, and has an environment of its own.
_ASKED = os.environ.get("BITRIX24_CLICKHOUSE", "")
IS_ASKED_FOR = bool(_ASKED)
_PYTHON = _ASKED if "/" in _ASKED else str(Path(__file__).parents[2] / ".venv/clickhouse/bin/python")


class ClickHouseServer(ExitStack):
    """A server with one empty database, alive inside a ``with`` block."""

    def __enter__(self) -> ClickHouseServer:
        super().__enter__()
        folder = tempfile.mkdtemp(prefix="clickhouse-", dir="/tmp")
        self.callback(shutil.rmtree, folder, ignore_errors=True)
        script = Path(__file__).with_name("chdb_server.py")
        server = subprocess.Popen([_PYTHON, script, f"{folder}/data"], stdout=subprocess.PIPE, text=True)
        self.callback(server.wait)
        self.callback(server.terminate)
        self.port = int(server.stdout.readline())
        return self

    def connection_json(self, database: str, **extra: Any) -> str:
        """For ``AIRFLOW_CONN_…``."""
        fields = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": self.port, "schema": database}
        return json.dumps({**fields, "extra": extra})

    def execute(self, *statements: str, database: str = "default") -> list[Sequence[Any]]:
        """Execute statements, and return the rows of the last one."""
        import clickhouse_connect

        with closing(clickhouse_connect.get_client(host="127.0.0.1", port=self.port, database=database)) as client:
            rows: list[Sequence[Any]] = []
            for statement in statements:
                is_query = statement.lstrip().upper().startswith("SELECT")
                rows = list(client.query(statement).result_rows) if is_query else []
                if not is_query:
                    client.command(statement)
            return rows
