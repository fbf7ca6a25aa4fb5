"""The ears that other tests search for secrets are not deaf."""

from __future__ import annotations

import logging
from datetime import datetime
from secrets import token_hex
from urllib.parse import quote

import pytest

from airflow_provider_bitrix24._compat import BaseOperator


class Saying(BaseOperator):
    """Tells the secret in the way ``say`` names."""

    secret: str

    def __init__(self, say: str, **kwargs):
        super().__init__(**kwargs)
        self.say = say

    def execute(self, context):
        if self.say == "our logger at DEBUG":
            logging.getLogger("airflow_provider_bitrix24.rest.client").debug("said %s", self.secret)
        elif self.say == "urllib3 at DEBUG, percent-encoded":
            logging.getLogger("urllib3.connectionpool").debug("said %s", quote(self.secret, safe=""))
        elif self.say == "the task's logger":
            self.log.info("said %s", self.secret)
        elif self.say == "standard output":
            print("said", self.secret)
        elif self.say == "an exception":
            raise ValueError(self.secret)
        elif self.say == "XCom":
            return self.secret
        return None


@pytest.fixture(autouse=True)
def secret():
    # New for each test: Airflow's database lives on, and Airflow 3 stores the text of DAG files in it.
    Saying.secret = f"a/b%c {token_hex(8)}"
    return Saying.secret


@pytest.mark.parametrize(
    "say",
    [
        "our logger at DEBUG",
        "urllib3 at DEBUG, percent-encoded",
        "the task's logger",
        "standard output",
        "an exception",
        "XCom",
    ],
)
def test_a_secret_told_by_a_task_is_found(run_dag, all_output, secret, say):
    run_dag(dag_of(say))
    assert all_output.places_of(secret)


def test_a_secret_that_is_kept_is_not_found(run_dag, all_output, secret):
    run_dag(dag_of("nothing"))
    assert all_output.places_of(secret) == []


def dag_of(say):
    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG
    with DAG("says_" + "".join(filter(str.isalnum, say)), schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        Saying(task_id="saying", say=say)
    return dag
