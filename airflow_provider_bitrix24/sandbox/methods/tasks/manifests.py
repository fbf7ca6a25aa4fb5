"""``getmanifest`` of the parts of tasks: what their methods take, as the pages print it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.sandbox import fields
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Params, method
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User


def _manifest(word: str) -> Handler:
    def manifest(portal: PortalState, user: User, params: Params) -> Any:
        return json.loads((Path(fields.__file__).parent / "manifests.json").read_text(encoding="utf-8"))[word]

    return manifest


for _word in ("checklistitem", "commentitem", "elapseditem"):
    method(f"task.{_word}.getmanifest", scope="task")(_manifest(_word))
