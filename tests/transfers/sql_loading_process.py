"""A process of its own that loads deals into a table, to be killed; started by ``test_killed_sql_load.py``."""

from __future__ import annotations

import json
import sys

from airflow_provider_bitrix24.exports import part_files
from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator
from tests.operators.context import context


def main() -> None:
    order = json.loads(sys.argv[1])
    part_files.ROWS_OF_A_PART = order["rows_of_a_part"]
    operator = Bitrix24ToSqlOperator(task_id="t", **order["arguments"])
    given = context(try_number=order["try_number"], retries=99)
    given["ti"].run_id = order["run_id"]
    print(json.dumps(operator.execute(given)))


if __name__ == "__main__":
    main()
