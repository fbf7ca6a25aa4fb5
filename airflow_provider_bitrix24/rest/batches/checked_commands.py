"""What a caller gives a batch, checked and made into commands before anything is sent."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.answers.failures_inside import check_number_of_values
from airflow_provider_bitrix24.rest.batches.commands import Command, make_command
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.encoding import as_params, has_reference
from airflow_provider_bitrix24.rest.oauth.call_token import check_no_token
from airflow_provider_bitrix24.rest.structured_parameters import check_structures
from airflow_provider_bitrix24.types import Params

Key = TypeVar("Key", bound=Hashable)


def check_flags(**flags: Any) -> None:
    """:raises ConfigurationError: one is neither True nor False; any text is true, "false" too."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise ConfigurationError(
                f"{name} of a batch is neither True nor False", next_step="set it to True or False"
            )


def checked_commands(
    conversation: Conversation,
    commands: Mapping[Key, tuple[str, Params | None]],
    *,
    halt: bool,
    references: bool,
    allow_cut: bool,
) -> list[Command[Key]]:
    """
    Make commands of pairs of method and params; ``halt``, ``references`` and ``allow_cut`` are those of the batch.

    :raises ConfigurationError: one of them cannot be sent.
    """
    checked: list[Command[Key]] = []
    methods: dict[Any, Method] = {}
    for key, entry in commands.items():
        if not isinstance(entry, (tuple, list)) or len(entry) != 2:
            raise ConfigurationError(
                f"the command {key!r} is not a pair of method and params",
                next_step='write ("crm.item.get", {"entityTypeId": 2, "id": 7})',
            )
        name, given = entry
        if not isinstance(name, str) or name not in methods:
            # Most batches call one method many times.
            method = conversation.method(name)
            methods[name] = replace(method, max_hits=None) if allow_cut else method
        method = methods[name]
        params = as_params(given, method=method.name)
        check_no_token(params, conversation.tokens, method=method.name)
        try:
            check_structures(method, params)
            check_number_of_values(method, params)
        except ConfigurationError as error:
            raise error.but(reason=f"the command {key!r}: {error.reason}") from None
        command = make_command(key, method, params, references=references)
        if command.text is None and (halt or (references and has_reference(command.params))):
            raise ConfigurationError(
                f"the command {key!r} can only be sent as a direct call, so not with halt or references: a batch "
                "cannot carry true, false, null, an empty list or object, a text such as $result[, or too many "
                "values",
                method=method.name,
                next_step="write Y, N, 1 or 0, leave empty values out, or call it by itself",
            )
        checked.append(command)
    return checked
