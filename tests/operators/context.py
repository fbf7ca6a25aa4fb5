"""A task's context, as far as operators look at it, and a task state store as Airflow 3.3 has one."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any


class StateStore:
    """Keeps JSON over the tries of a task, as ``context["task_state_store"]`` does, and refuses what that refuses."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.gets = self.sets = 0

    def get(self, key: str, default: Any = None) -> Any:
        self._check_key(key)
        self.gets += 1
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        self._check_key(key)
        if value is None:
            raise ValueError("Cannot set value as None")
        _check_json(value)
        self.sets += 1
        self.values[key] = json.dumps(value)

    @staticmethod
    def _check_key(key: str) -> None:
        """A column of 512 characters."""
        assert isinstance(key, str)
        assert 1 <= len(key) <= 512


def _check_json(value: Any) -> None:
    """What pydantic's ``JsonValue`` and msgpack, which carries it to the supervisor, take."""
    if isinstance(value, dict):
        for key, inner in value.items():
            assert isinstance(key, str), f"a key is {key!r}"
            _check_json(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_json(inner)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**64, "more than 64 bits"
    elif isinstance(value, float):
        assert math.isfinite(value), f"{value} is not JSON"
    else:
        assert value is None, f"{type(value)} is not JSON"


def context(
    *, try_number: int = 1, retries: int = 3, map_index: int = -1, store: StateStore | None = None
) -> dict[str, Any]:
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        try_number=try_number, max_tries=retries, dag_id="d", run_id="r", task_id="t", map_index=map_index,
        pushed=pushed, xcom_push=lambda key, value: pushed.update({key: value}),
        xcom_pull=lambda *, key, **_: pushed.get(key),
    )  # fmt: skip
    return {"ti": ti, "task": SimpleNamespace(retries=retries), **({"task_state_store": store} if store else {})}
