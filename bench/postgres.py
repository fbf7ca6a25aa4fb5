"""A PostgreSQL server on a socket file, from the package pgserver, which ships one, else of this computer."""

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

#: PostgreSQL does not run as root: there it runs as this user.
_USER = "nobody"


def _programs() -> Path:
    """The folder of the server's programs. The package has no wheel for Python 3.13."""
    try:
        import pgserver
    except ImportError:
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        if not installed:
            raise FileNotFoundError("A server is needed: pip install pgserver, or apt-get install postgresql") from None
        return installed[-1]
    return Path(pgserver.__file__).parent / "pginstall" / "bin"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer(ExitStack):
    """
    A server with one empty database, alive inside a ``with`` block.

    :param settings: of ``postgresql.conf``, ``log_statement=all``.
    :param port: on 127.0.0.1 too, for clients that know no socket file.
    """

    def __init__(self, *settings: str, port: int | None = None) -> None:
        super().__init__()
        self._port = port
        listens = () if port is None else ("listen_addresses=127.0.0.1", f"port={port}")
        self._settings = (*listens, *settings)

    def __enter__(self) -> PostgresServer:
        super().__enter__()
        # The path of a socket may have 107 characters, and other users must be able to come to it.
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.log = self.directory / "log"
        programs = _programs()
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            if (package := programs.parents[1]).name == "pgserver":
                # It may be in a folder that others cannot look into; its libraries are beside it.
                for folder in (package, package.with_name("pgserver.libs")):
                    shutil.copytree(folder, self.directory / folder.name, symlinks=True)
                programs = self.directory / programs.relative_to(package.parent)
            shutil.chown(self.directory, _USER)
            as_user = {"user": _USER, "group": pwd.getpwnam(_USER).pw_gid, "extra_groups": []}
        data, environment = str(self.directory / "data"), {"LC_ALL": "C", "PATH": os.environ["PATH"]}
        subprocess.run(
            [programs / "initdb", "--username=firms", "--auth=trust", "--encoding=UTF8", "--no-sync", data],
            check=True, stdout=subprocess.DEVNULL, cwd="/", env=environment, **as_user,
        )  # fmt: skip
        options = ("listen_addresses=", "fsync=off", f"unix_socket_directories={self.directory}", *self._settings)
        with self.log.open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *(f"--{option}" for option in options)],
                stdout=log, stderr=log, cwd="/", env=environment, **as_user,
            )  # fmt: skip
        self.callback(server.wait)
        self.callback(server.terminate)
        for _ in range(500):
            if b"ready to accept connections" in self.log.read_bytes():
                return self
            time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL does not start: {self.log.read_text(errors='replace')[-500:]}")

    def connection_json(self, **extra: Any) -> str:
        """For ``AIRFLOW_CONN_…``."""
        fields = {"conn_type": "postgres", "host": str(self.directory), "login": "firms", "schema": "postgres"}
        port = {} if self._port is None else {"port": self._port}
        return json.dumps({**fields, **port, "extra": extra})

    @property
    def address(self) -> str:
        """Of a server with a port."""
        return f"postgresql://firms:none@127.0.0.1:{self._port}/postgres"

    def execute(self, *statements: str) -> list[Sequence[Any]]:
        """Execute statements, and return the rows of the last one."""
        import psycopg2

        connection = psycopg2.connect(
            host=str(self.directory), port=self._port or 5432, user="firms", dbname="postgres"
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()
