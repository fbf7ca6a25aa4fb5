"""A file of SQLite behind a connection of Airflow."""

from __future__ import annotations

import json
from pathlib import Path


def sqlite_connection(file: Path) -> str:
    """What ``AIRFLOW_CONN_…`` is set to."""
    return json.dumps({"conn_type": "sqlite", "host": str(file)})
