"""A task's context, as far as operators look at it, and a task state store as Airflow 3.3 has one."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any


class StateStore:
    """Keeps JSON over the tries of a task, as ``context["task_state_store"]`` does."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


def context(
    *, try_number: int = 1, retries: int = 3, map_index: int = -1, store: StateStore | None = None
) -> dict[str, Any]:
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        try_number=try_number, max_tries=retries, dag_id="d", run_id="r", task_id="t", map_index=map_index,
        pushed=pushed, xcom_push=lambda key, value: pushed.update({key: value}),
    )  # fmt: skip
    return {"ti": ti, "task": SimpleNamespace(retries=retries), **({"task_state_store": store} if store else {})}
