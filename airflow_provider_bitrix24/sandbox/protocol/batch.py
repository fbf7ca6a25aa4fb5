"""
``batch``: up to 50 commands in one request, run strictly in order.

Source: Bitrix24 REST docs, "How to Execute a Batch Request", and public copies of the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from airflow_provider_bitrix24.sandbox.forms import as_list_if_counted, as_map, parse_query
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal
from airflow_provider_bitrix24.sandbox.php import is_truthy
from airflow_provider_bitrix24.sandbox.protocol.dispatch import MethodAnswer

#: Commands past this one are refused, the first 50 run.
MAX_COMMANDS = 50

_REFERENCE = re.compile(r"\$(result|error|total|next|time)((?:\[[^\[\]]*\])+)")
_NOT_ALLOWED = frozenset({"batch"})

#: Runs one command of a batch.
RunCommand: TypeAlias = Callable[[str, Params], MethodAnswer]
#: The refusal as it stands in ``result_error``.
AsError: TypeAlias = Callable[[Refusal], dict[str, Any]]


class Batch:
    """One ``batch`` request: five maps by command, filled as the commands run."""

    def __init__(self, run_command: RunCommand, as_error: AsError) -> None:
        self._run_command = run_command
        self._as_error = as_error
        self._maps: dict[str, dict[str, Any]] = {name: {} for name in ("result", "error", "total", "next", "time")}
        #: A controller's status that became the status of the whole answer.
        self.status = 200

    def run(self, params: Params) -> dict[str, Any]:
        commands = as_map(params.get("cmd"))
        halt = is_truthy(params.get("halt"))
        # A command that is not text is skipped without a trace (server source).
        texts = [(key, command) for key, command in commands.items() if isinstance(command, str)]
        for number, (key, command) in enumerate(texts, start=1):
            try:
                if number > MAX_COMMANDS:
                    raise Refusal("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
                self._note(key, self._run(command))
            except Refusal as refusal:
                self._maps["error"][key] = self._as_error(refusal)
                if refusal.marks_batch:
                    self.status = refusal.status
                if halt:
                    break
        maps = {f"result_{name}": as_list_if_counted(self._maps[name]) for name in ("error", "total", "next", "time")}
        return {"result": as_list_if_counted(self._maps["result"]), **maps}

    def _run(self, command: str) -> MethodAnswer:
        # The address of a command ends at `#`, as any URL does: unescaped text behind it is lost.
        method, _, query = command.partition("#")[0].partition("?")
        if method.strip().lower() in _NOT_ALLOWED:
            raise Refusal("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage", 405)
        return self._run_command(method.strip(), self._resolved(parse_query(query)))

    def _note(self, key: str, answer: MethodAnswer) -> None:
        self._maps["result"][key] = answer.result
        self._maps["time"][key] = answer.time
        if answer.total is not None:
            self._maps["total"][key] = answer.total
        if answer.next is not None:
            self._maps["next"][key] = answer.next

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        if not isinstance(value, str) or "$" not in value:
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole is not None:
            return self._look_up(whole)[0]
        return _REFERENCE.sub(self._as_text, value)

    def _as_text(self, reference: re.Match[str]) -> str:
        value, complete = self._look_up(reference)
        if not complete or isinstance(value, (dict, list)):
            return reference.group()
        return "" if value is None else str(value)

    def _look_up(self, reference: re.Match[str]) -> tuple[Any, bool]:
        """The referenced value, or its deepest parent that exists; and whether the whole path exists."""
        value: Any = self._maps[reference.group(1)]
        for key in reference.group(2)[1:-1].split("]["):
            children = as_map(value)
            if key not in children:
                return value, False
            value = children[key]
        return value, True
