"""What Airflow does with a deferral: the trigger runs in another process, then the task in a new one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_bitrix24.triggers.wait import Bitrix24WaitTrigger

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred


def deferred(operator: Any, given: Any) -> Any:
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(given)
    return caught.value


def resumed(new: Any, deferral: Any, given: Any) -> Any:
    """The result of a new operator that goes on after a deferral."""
    path, kwargs = deferral.trigger.serialize()
    assert path == f"{Bitrix24WaitTrigger.__module__}.Bitrix24WaitTrigger"
    trigger = Bitrix24WaitTrigger(**json.loads(json.dumps(kwargs)))
    trigger.now = lambda: kwargs["until"]
    event = asyncio.run(anext(trigger.run()))
    return new.resume_execution(deferral.method_name, {"event": json.loads(json.dumps(event.payload))}, given)
