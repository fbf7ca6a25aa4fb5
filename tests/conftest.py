"""
What every test uses: an Airflow of its own, a portal of its own, and a record of everything that is logged.

Airflow's home is a directory that lives as long as the test run. Its database is made when a test first needs it.
"""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="airflow-bitrix24-tests-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)

# Airflow reads its settings when it is first imported, so this stands above the plugins below, which may import it.
_OURS = {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    # What `airflow db migrate` writes into a new airflow.cfg: without it, variables are not encrypted.
    "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    "AIRFLOW__CORE__DAGS_FOLDER": str(AIRFLOW_HOME / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME}/airflow.db",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(AIRFLOW_HOME / "logs"),
    "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "NETRC": str(AIRFLOW_HOME / "netrc"),
    # Request buckets are kept there, and would outlive the portals that they belong to.
    "TMPDIR": str(AIRFLOW_HOME / "tmp"),
}
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
for _name in list(os.environ):
    if _name.startswith("AIRFLOW") or _name.upper() in _NETWORK:
        del os.environ[_name]
os.environ.update(_OURS)

# A shell starts programs in the background with interrupts ignored, and some tests interrupt themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)
tempfile.tempdir = None
for _name in ("dags", "tmp"):
    (AIRFLOW_HOME / _name).mkdir()

# Tests start many processes, and each would compile Airflow again where no bytecode is written, as in most containers.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(AIRFLOW_HOME / "bytecode")
sys.dont_write_bytecode = False

pytest_plugins = ("tests.fixtures.airflow", "tests.fixtures.output", "tests.fixtures.portal")
