"""A process of its own that runs a bulk deletion, to be killed; started by ``test_killed_deletion.py``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from tests.operators.context import StateStore, context


class StoreOnDisk(StateStore):
    """A task state store that outlives the process, as Airflow's database does."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.values = {file.name: file.read_text() for file in folder.iterdir() if file.suffix != ".new"}

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        new = self._folder / f"{key}.new"
        new.write_text(self.values[key])
        os.replace(new, self._folder / key)


def main() -> None:
    order = json.loads(sys.argv[1])
    store = StoreOnDisk(Path(order["store"])) if order["store"] else None
    operator = Bitrix24DeletePaymentsOperator(task_id="delete", **order["arguments"])
    result = operator.execute(context(try_number=order["try_number"], store=store))
    Path(order["summary"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
