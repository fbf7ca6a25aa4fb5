"""Commands of a batch: how they are written, and how they are packed by number, size and time."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.answers.diagnosis import deletes, identifying_params
from airflow_provider_bitrix24.rest.encoding import has_reference, plain, query, variables
from airflow_provider_bitrix24.rest.limits.command_costs import (
    AIM_RESPONSE_BYTES,
    AIM_SECONDS,
    MAX_COMMANDS,
    CommandCosts,
)
from airflow_provider_bitrix24.types import Params

Key = TypeVar("Key", bound=Hashable)

#: Fewer variables than PHP takes in one query string (``max_input_vars`` is 1,000 by default).
MAX_VARIABLES = 999
#: Most bytes of one request: PHP takes 8 MiB by default (``post_max_size``).
MAX_REQUEST_BYTES = 4 * 1024 * 1024
#: What a command takes in a request beside its text: its key and the quotes.
_KEY_BYTES = 16


@dataclass(slots=True)
class Command(Generic[Key]):
    """
    One entry of a batch.

    :param key: the caller's.
    :param params: plain values.
    :param text: ``method?query``; None where a batch cannot carry it, and it must go as a direct call.
    """

    key: Key
    method: Method
    params: Params
    text: str | None


def make_command(key: Key, method: Method, params: Params, *, references: bool) -> Command[Key]:
    """
    Write a call as a command.

    :param references: leave ``$result[…]`` in values to the portal, which puts results of earlier commands there.
    :raises ConfigurationError: the method may not be in a batch, or a parameter cannot be sent.
    """
    name = method.name
    if name.lower() == "batch":
        raise ConfigurationError(
            f"the command {key!r} is a batch inside a batch", next_step="list its commands instead"
        )
    values = plain(params, method=name)
    text = query(values)
    # Looking for an encoded "$" is quicker than walking through the values, and it is rare.
    if text and not references and "%24" in text and has_reference(values):
        text = None
    if text is not None and (variables(text) > MAX_VARIABLES or len(text) > MAX_REQUEST_BYTES // 2):
        text = None
    return Command(key, method, values, None if text is None else f"{name}?{text}" if text else name)


def packs(
    commands: Iterable[Command[Key]], costs: CommandCosts, largest: Callable[[], int] = lambda: MAX_COMMANDS
) -> Iterator[list[Command[Key]]]:
    """
    Split commands into batches by number, size of the request, and what the methods cost so far.

    Each batch is sized when it is asked for, so that it may learn from the ones before.

    :param largest: how many commands the batch may carry in any case.
    """
    pack: list[Command[Key]] = []
    most = MAX_COMMANDS
    seconds = answer_bytes = request_bytes = 0.0
    for command in commands:
        name, command_bytes = command.method.name, len(command.text or "") + _KEY_BYTES
        full = (
            len(pack) >= min(most, costs.most(name), largest())
            or seconds + costs.seconds(name) > AIM_SECONDS
            or answer_bytes + costs.size(name) > AIM_RESPONSE_BYTES
            or request_bytes + command_bytes > MAX_REQUEST_BYTES
        )
        if pack and full:
            yield pack
            pack, most, seconds, answer_bytes, request_bytes = [], MAX_COMMANDS, 0.0, 0.0, 0.0
        pack.append(command)
        most = min(most, costs.most(name))
        seconds += costs.seconds(name)
        answer_bytes += costs.size(name)
        request_bytes += command_bytes
    if pack:
        yield pack


def batch_params(pack: Sequence[Command[Any]], *, halt: bool) -> dict[str, Any]:
    """
    The parameters of ``batch``.

    Their keys are ours, ``c0`` and so on: with the keys 0 to n-1 a portal answers lists instead of objects.
    """
    return {"halt": int(halt), "cmd": {f"c{index}": command.text for index, command in enumerate(pack)}}


_REFERENCE_KEY = re.compile(r"(\$(?:result|next|total|time|error)\[)([^\[\]]*)(\]?)", re.IGNORECASE)


def with_our_keys(pack: list[Command[Key]]) -> list[Command[Key]]:
    """
    Rewrite the references of an author, ``$result[deal][ID]``, to our keys, ``$result[c0][ID]``.

    :raises ConfigurationError: a reference to a command that is not in the same request, or not before this one.
    """
    ours = {str(command.key): f"c{index}" for index, command in enumerate(pack)}
    if len(ours) < len(pack):
        raise ConfigurationError(
            "two commands have the same key as text, and a reference could mean either", next_step="rename one"
        )

    def rewritten(value: Any, index: int, key: Key) -> Any:
        if isinstance(value, str):

            def ours_for(match: re.Match[str]) -> str:
                if not match[3]:
                    raise ConfigurationError(
                        f"a text of the command {key!r} has {match[1]} without the name of a command after it",
                        next_step="write $result[name], where name is a command's key without brackets",
                    )
                name = ours.get(match[2])
                if name is None or int(name[1:]) >= index:
                    raise ConfigurationError(
                        f"the command {key!r} refers to {match[2]!r}, which is not an earlier command of the same "
                        "request",
                        next_step=f"a request carries {MAX_COMMANDS} commands at most: put both into one, in order",
                    )
                return f"{match[1]}{name}{match[3]}"

            return _REFERENCE_KEY.sub(ours_for, value)
        if isinstance(value, dict):
            return {rewritten(name, index, key): rewritten(inner, index, key) for name, inner in value.items()}
        if isinstance(value, list):
            return [rewritten(inner, index, key) for inner in value]
        return value

    return [
        make_command(command.key, command.method, rewritten(command.params, index, command.key), references=True)
        for index, command in enumerate(pack)
    ]


def must_not_repeat(command: Command[Any]) -> bool:
    """Whether a command must not be sent again after a lost answer."""
    return command.method.repeat_for(command.params) == "never"


def is_free(pack: Sequence[Command[Any]]) -> bool:
    """Whether all commands may be sent again without a thought."""
    return not any(must_not_repeat(command) or deletes(command.method) for command in pack)


def parts_of(pack: list[Command[Key]], *, references: bool) -> tuple[list[Command[Key]], ...]:
    """
    Two requests in place of one whose answer was lost or too large, about equal; none where it must stay whole.

    :param references: no command of the second part may refer to one of the first.
    """
    if not is_free(pack):
        return ()
    for cut in sorted(range(1, len(pack)), key=lambda cut: abs(2 * cut - len(pack))):
        parts = pack[:cut], pack[cut:]
        try:
            if references:
                with_our_keys(parts[1])
        except ConfigurationError:
            continue
        return parts
    return ()


def looks(commands: Iterable[Command[Key]]) -> dict[Key, tuple[str, Params | None]]:
    """What reads the objects of commands, where there is such a method."""
    return {
        command.key: (command.method.lookup, identifying_params(command.params))
        for command in commands
        if command.method.lookup
    }
