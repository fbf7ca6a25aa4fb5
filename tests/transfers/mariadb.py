"""A MariaDB server on a free port, from the packages of the system: no package of Python ships one."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

#: Debian puts servers where only root looks for programs.
_PATH = f"{os.environ['PATH']}:/usr/sbin"
MISSING = "MariaDB is missing: apt-get install mariadb-server"


def is_installed() -> bool:
    return all(shutil.which(program, path=_PATH) for program in ("mariadbd", "mariadb-install-db"))


class MariaServer(ExitStack):
    """A server without a password, alive inside a ``with`` block."""

    def __enter__(self) -> MariaServer:
        super().__enter__()
        self.directory = Path(tempfile.mkdtemp(prefix="maria-", dir="/tmp"))
        self.callback(shutil.rmtree, self.directory, ignore_errors=True)
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            # It does not run as root.
            shutil.chown(self.directory, "nobody")
            as_user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        place: dict[str, Any] = {"cwd": "/", "env": {"LC_ALL": "C", "PATH": _PATH}, **as_user}
        data = f"--datadir={self.directory}/data"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, **place, **quiet,
        )  # fmt: skip
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        log_file = self.directory / "log"
        with log_file.open("wb") as log:
            server = subprocess.Popen(
                [
                    "mariadbd", "--no-defaults", data, f"--socket={self.directory}/socket", f"--port={self.port}",
                    "--bind-address=127.0.0.1", f"--pid-file={self.directory}/pid", "--skip-name-resolve",
                    "--innodb-flush-log-at-trx-commit=0",
                ], stdout=log, stderr=log, **place,
            )  # fmt: skip
        self.callback(server.wait)
        self.callback(server.terminate)
        for _ in range(500):
            if b"ready for connections" in log_file.read_bytes():
                return self
            time.sleep(0.02)
        raise RuntimeError(f"MariaDB does not start: {log_file.read_text(errors='replace')[-500:]}")

    def connection_json(self, schema: str) -> str:
        """For ``AIRFLOW_CONN_…``; with the driver that has a wheel."""
        fields = {"conn_type": "mysql", "host": "127.0.0.1", "port": self.port, "login": "root", "schema": schema}
        return json.dumps({**fields, "extra": {"client": "mysql-connector-python"}})

    def execute(self, *statements: str) -> list[Sequence[Any]]:
        """Execute statements, and return the rows of the last one."""
        import mysql.connector

        with closing(mysql.connector.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True)) as made:
            cursor = made.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
