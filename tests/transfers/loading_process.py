"""A process of its own that loads deals into files, to be killed; started by ``test_killed_load.py``."""

from __future__ import annotations

import json
import sys

from airflow_provider_bitrix24.exports import part_files
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from tests.operators.context import context


def main() -> None:
    order = json.loads(sys.argv[1])
    part_files.ROWS_OF_A_PART = order["rows_of_a_part"]
    operator = Bitrix24ToObjectStorageOperator(task_id="t", **order["arguments"])
    print(json.dumps(operator.execute(context(try_number=order["try_number"], retries=99))))


if __name__ == "__main__":
    main()
