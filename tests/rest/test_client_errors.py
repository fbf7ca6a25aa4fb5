"""Errors leave the client without what happened inside it, whose frames hold tokens and rows."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of

MISSING = ("crm.item.get", {"entityTypeId": 2, "id": 999})
#: Portals of an older generation refuse it without a cause: the client looks at the payment, and is refused again.
LOOKED_AT = ("crm.item.payment.delete", {"id": 999})
LIST = "crm.item.list"
NO_TYPE = {"entityTypeId": 999}


@pytest.fixture
def client() -> Iterator[Client]:
    with Sandbox(deals=1, generation="old") as portal, client_of(portal) as client:
        yield client


def files_inside(error: BaseException) -> set[str]:
    """The files of the package in a traceback, the client's own aside."""
    names = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    return {name for name in names if "/airflow_provider_bitrix24/" in name} - {client_file()}


def client_file() -> str:
    return Client.__init__.__code__.co_filename


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda client: client.call(*MISSING), id="call"),
        pytest.param(lambda client: client.call(*LOOKED_AT), id="call with a look-up"),
        pytest.param(lambda client: client.ask(*MISSING), id="ask"),
        pytest.param(lambda client: client.batch({"a": ("no name", {})}), id="batch"),
        pytest.param(lambda client: client.list("profile"), id="list of what is not one"),
        pytest.param(lambda client: client.described("crm.item.fields", NO_TYPE), id="described"),
    ],
)
def test_an_error_has_neither_a_chain_nor_frames_from_inside(client: Client, ask: Callable[[Client], Any]) -> None:
    with pytest.raises(Bitrix24Error) as caught:
        ask(client)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert files_inside(caught.value) == set()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(lambda client: client.list(LIST, NO_TYPE), id="list"),
        pytest.param(lambda client: client.children(LIST, [1], lambda _: NO_TYPE), id="children"),
    ],
)
def test_an_error_of_rows_has_only_the_frame_that_asked_for_the_row(
    client: Client, rows: Callable[[Client], Any]
) -> None:
    with pytest.raises(Bitrix24Error) as caught:
        next(rows(client))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert {name.rpartition("/")[2] for name in files_inside(caught.value)} == {"stream.py"}


def test_errors_of_commands_have_neither_traceback_nor_chain(client: Client) -> None:
    commands = {"missing": MISSING, "looked at": LOOKED_AT, "alone": (MISSING[0], {**MISSING[1], "a": None})}
    errors = client.batch(commands).errors
    assert errors.keys() == commands.keys()
    assert [(error.__traceback__, error.__context__) for error in errors.values()] == [(None, None)] * 3
