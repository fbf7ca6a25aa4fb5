"""A process of its own that writes rows, to be killed; started by ``test_changed_adds.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.operators.context import context
from tests.operators.deleting_process import StoreOnDisk
from tests.rows.operators import KINDS


def main() -> None:
    order = json.loads(sys.argv[1])
    store = StoreOnDisk(Path(order["store"])) if order["store"] else None
    KINDS[order["kind"]].run(order["rows"], given=context(store=store), **order["arguments"])


if __name__ == "__main__":
    main()
