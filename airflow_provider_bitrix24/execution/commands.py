"""A method's parameters and a batch's commands, in the forms in which DAG authors write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import parameters
from airflow_provider_bitrix24.rest.missing_values import from_json
from airflow_provider_bitrix24.rest.positional import in_order, is_positional
from airflow_provider_bitrix24.rest.scalars import without_arrays

#: Methods whose answer has an outcome for each of its parts, and the operators that read them.
_WITH_PARTS = {
    "batch": ("commands", "Bitrix24BatchOperator"),
    "crm.item.batchimport": ("items", "Bitrix24ImportItemsOperator"),
}


def parameters_of(method: str, value: Any, name: str) -> dict[str, Any]:
    """
    The parameters of a method: an object, or a list where their order matters; or the JSON text of either.

    :param name: the argument, for the message.
    :raises ConfigurationError: anything else.
    """
    decoded = from_json(value, name)
    if isinstance(decoded, (list, tuple)) and is_positional(method):
        return dict(without_arrays(in_order(decoded, method=method)))
    return dict(without_arrays(parameters(value, name)))


def check_is_read(method: str) -> None:
    """
    :raises ConfigurationError: its good answer has failures in it, which only an operator of its own reads.
    """
    if (known := _WITH_PARTS.get(method.lower())) is not None:
        parts, operator = known
        raise ConfigurationError(
            f"method is {method}, whose failed {parts} would go unnoticed here", next_step=f"use {operator}"
        )


def command_of(name: str, given: Any) -> tuple[str, dict[str, Any]]:
    """
    A command as a method and its parameters, of ``{"method": "crm.item.get", "params": {…}}`` or
    ``["crm.item.get", {…}]``.

    :raises ConfigurationError: it has neither form.
    """
    if isinstance(given, Mapping) and isinstance(given.get("method"), str) and set(given) <= {"method", "params"}:
        return given["method"], parameters_of(given["method"], given.get("params"), f"params of {name}")
    if isinstance(given, (list, tuple)) and len(given) in (1, 2) and isinstance(given[0], str):
        return given[0], parameters_of(given[0], given[1] if len(given) == 2 else None, f"params of {name}")
    raise ConfigurationError(
        f"the command {name!r} is not a method with its params",
        next_step='write {"method": "crm.item.get", "params": {…}}',
    )


def commands_of(value: Any, name: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """
    The commands of a batch by their names, see :func:`command_of`.

    :param name: the argument, for the message.
    :raises ConfigurationError: it is not an object, or one of its members is not a command.
    """
    return {key: command_of(key, command) for key, command in parameters(value, name).items()}


def written_params(command: Any) -> Any:
    """The params of a command in either form, unchecked, as they stand in the DAG file."""
    if isinstance(command, Mapping):
        return command.get("params")
    return command[1] if isinstance(command, (list, tuple)) and len(command) == 2 else None


@contextmanager
def of_command(name: str) -> Iterator[None]:
    """Let an error about the arguments of its block name the command."""
    failure = None
    try:
        yield
    except ConfigurationError as error:
        failure = error.but(reason=f"commands[{name}]: {error.reason}")
    if failure is not None:
        raise failure
