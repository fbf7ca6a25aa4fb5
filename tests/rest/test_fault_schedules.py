"""
A thousand random schedules of faults over lists, batches, adds, updates and deletes.

Whatever breaks, and when: a list is exact or raises, nothing is added twice, what is said of a write is true, only our
own errors come out, and no secret is said anywhere. A failure names its seed: ``run(seed, …)`` repeats it.
"""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of

SCHEDULES, IN_ONE_TEST = 1000, 50
PARALLEL = (1, 4, 20)
DEAL = 2
ADD, ADD_OLD, UPDATE, GET, LIST = "crm.item.add", "crm.deal.add", "crm.item.update", "crm.item.get", "crm.deal.list"
PAY_DELETE, DELETE = "crm.item.payment.delete", "crm.item.delete"
PATIENCE_SECONDS = 30.0
#: A call asks, looks and explains; each of these has a patience of its own.
SLEPT_PER_CALL = 3 * PATIENCE_SECONDS

BROKEN_BODIES = (
    b"",
    b"null",
    b"{}",
    b"[]",
    b"<html><title>Sorry</title></html>",
    b'{"result": {"id"',
    b"\xff\xfe",
    b"1",
)
CODES = ("INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "QUERY_LIMIT_EXCEEDED", "ACCESS_DENIED", "", 0, 100, "0")


class Listener(logging.Handler):
    """Looks for the secret in everything that is logged, tracebacks included."""

    def __init__(self, secret: str) -> None:
        super().__init__(logging.DEBUG)
        self.secret, self.found, self.heard = secret, [], 0
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += 1
        text = self.format(record)
        if self.secret in text:
            self.found.append(text)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Sandbox, list[Client], Naps, Listener]]:
    with Sandbox(deals=120, tasks=0, gaps=0.2, seed=7) as portal:
        naps, listener = Naps(portal), Listener(portal.admin.code)
        loggers = [logging.getLogger(name) for name in ("airflow_provider_bitrix24", "urllib3", "requests")]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
            logger.addHandler(listener)
        with ExitStack() as stack:
            settings = {"naps": naps, "patience_seconds": PATIENCE_SECONDS}
            clients = [stack.enter_context(client_of(portal, parallel=number, **settings)) for number in PARALLEL]
            yield portal, clients, naps, listener
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
            logger.removeHandler(listener)


def schedule_faults(portal: Sandbox, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 5)):
        kind, options = chance.choice(
            [
                ("reset_before", {}),
                ("reset_after", {}),
                ("close_before", {}),
                ("close_after", {}),
                ("truncated", {}),
                ("status_before", {"status": chance.choice((200, 403, 404, 429, 500, 502, 503, 504))}),
                ("status_after", {"status": chance.choice((200, 403, 404, 429, 500, 502, 503, 504))}),
                ("body", {"body": chance.choice(BROKEN_BODIES), "executed": chance.random() < 0.5}),
                ("error", {"code": chance.choice(CODES), "status": chance.choice((200, 400, 403, 500, 503))}),
                ("query_limit", {}),
                ("operation_time_limit", {}),
                ("redirect", {"location": "https://evil.example.invalid/rest/"}),
            ]
        )
        portal.fault(
            kind,
            method=chance.choice(("*", "*", "batch", LIST, ADD, PAY_DELETE, DELETE, UPDATE, "*.get")),
            times=chance.choice((1, 1, 1, 2, 3, 5, None)),
            after=chance.choice((0, 0, 1, 2)),
            probability=chance.choice((1.0, 0.7, 0.3)),
            seed=chance.randrange(1_000_000),
            **options,
        )


def check_error(error: Bitrix24Error, secret: str) -> None:
    said = str(error) + repr(error) + "".join(traceback.format_exception(error)) + repr(vars(error))
    assert secret not in said, said
    assert error.ran in ("no", "unknown")


def check_list(portal: Sandbox, client: Client, chance: random.Random) -> None:
    exact = [deal["id"] for deal in portal.items(DEAL)]
    limit = chance.choice((None, None, 7, 60))
    rows = client.list(LIST, chance.choice(({}, {"select": ["TITLE"]}, {"select": ["ID"]})), limit=limit)
    found, titles = [], []
    wanted = exact if limit is None else exact[:limit]
    try:
        for row in rows:
            found.append(row.get("ID"))
            titles.append(row.get("TITLE"))
    except Bitrix24Error as error:
        check_error(error, portal.admin.code)
        assert not rows.report.complete
        assert rows.report.rows == len(found) <= len(wanted)
        wanted = wanted[: len(found)]
    if found and found[0] is not None:
        assert [int(row) for row in found] == wanted
    else:
        by_id = {deal["id"]: deal["title"] for deal in portal.items(DEAL)}
        assert titles == [by_id[id_] for id_ in wanted]


class Writes:
    """Writes of one schedule, each with what must be true of the portal if it ran and if it did not."""

    def __init__(self, portal: Sandbox, seed: int, chance: random.Random, count: int) -> None:
        self.portal = portal
        self.commands: dict[str, tuple[str, dict[str, Any]]] = {}
        for number in range(count):
            kind, key = chance.choice(("add", "add", "pay", "delete", "update", "get")), f"{seed}.{number}"
            (deal,) = portal.add_deals(1, title=f"made for {key}")
            match kind:
                case "add":
                    method = chance.choice((ADD, ADD_OLD))
                    title = "title" if method == ADD else "TITLE"
                    self.commands[f"add {key}"] = (method, {"entityTypeId": DEAL, "fields": {title: f"added {key}"}})
                case "pay":
                    payment = portal.add_payment(deal)
                    self.commands[f"pay {payment}"] = (PAY_DELETE, {"id": payment})
                case "delete":
                    self.commands[f"delete {deal}"] = (DELETE, {"entityTypeId": DEAL, "id": deal})
                case "update":
                    fields = {"title": f"updated {deal}", "comments": chance.choice(("text", None))}
                    self.commands[f"update {deal}"] = (UPDATE, {"entityTypeId": DEAL, "id": deal, "fields": fields})
                case "get":
                    self.commands[f"get {deal}"] = (GET, {"entityTypeId": DEAL, "id": deal})

    def times_done(self, key: str) -> int:
        """How often a write took effect, as the portal's objects tell."""
        kind, _, rest = key.partition(" ")
        match kind:
            case "add":
                return [deal["title"] for deal in self.portal.items(DEAL)].count(f"added {rest}")
            case "pay":
                return int(self.portal.payment(int(rest)) is None)
            case "delete":
                return int(self.portal.item(DEAL, int(rest)) is None)
            case "update":
                return int((self.portal.item(DEAL, int(rest)) or {}).get("title") == f"updated {rest}")
        return 0

    def check(self, key: str, result: Any, error: Bitrix24Error | None) -> None:
        done, kind = self.times_done(key), key.partition(" ")[0]
        assert done <= 1, f"{key} was done {done} times"
        if error is None:
            assert done == (kind != "get"), f"{key} succeeded and was not done"
            assert kind != "pay" or result is True
            assert kind != "delete" or result == []
            return
        check_error(error, self.portal.admin.code)
        assert not isinstance(error, ConfigurationError)
        assert error.method
        if error.ran == "no":
            assert done == 0, f"{key} was done, and the error says that it was not: {error}"
        elif kind == "add":
            assert not error.retryable, f"{key} may have been done and would be tried again: {error}"


def check_calls(portal: Sandbox, client: Client, naps: Naps, writes: Writes) -> None:
    for key, (method, params) in writes.commands.items():
        slept = naps.total
        try:
            result, failure = client.call(method, params), None
        except Bitrix24Error as error:
            result, failure = None, error
        writes.check(key, result, failure)
        assert naps.total - slept <= SLEPT_PER_CALL


def check_batch(portal: Sandbox, client: Client, writes: Writes, *, halt: bool) -> None:
    commands = writes.commands
    if halt:
        commands = {
            key: command for key, command in commands.items() if None not in command[1].get("fields", {}).values()
        }
    outcome = client.batch(commands, halt=halt)
    ends = [*outcome.replies, *outcome.errors, *outcome.not_run]
    assert sorted(ends) == sorted(commands)
    assert halt or not outcome.not_run
    for key in commands:
        if key in outcome.not_run:
            assert writes.times_done(key) == 0
        else:
            writes.check(key, outcome.results.get(key), outcome.errors.get(key))


def run(seed: int, portal: Sandbox, client: Client, naps: Naps) -> None:
    chance = random.Random(seed)
    work = chance.choice(("list", "list", "calls", "batch", "batch", "halt"))
    writes = Writes(portal, seed, chance, chance.choice((1, 3, 6)) if work == "calls" else chance.choice((1, 8, 60)))
    schedule_faults(portal, chance)
    match work:
        case "list":
            check_list(portal, client, chance)
        case "calls":
            check_calls(portal, client, naps, writes)
        case _:
            check_batch(portal, client, writes, halt=work == "halt")


@pytest.mark.parametrize("block", range(SCHEDULES // IN_ONE_TEST))
def test_whatever_breaks_nothing_is_lost_doubled_or_said_wrongly(
    block: int, world: tuple[Sandbox, list[Client], Naps, Listener]
) -> None:
    """The clients take turns: one has one request under way, one 4 at most, one 20."""
    portal, clients, naps, listener = world
    for seed in range(block * IN_ONE_TEST, (block + 1) * IN_ONE_TEST):
        before = {deal["id"] for deal in portal.items(DEAL)}
        try:
            run(seed, portal, clients[seed % len(clients)], naps)
        except BaseException:
            print(f"seed {seed}")
            raise
        finally:
            portal.clear_faults()
            for deal in portal.items(DEAL):
                if deal["id"] not in before:
                    portal.remove_item(DEAL, deal["id"])
        assert listener.found == [], f"seed {seed}"
        portal.reset_calls()
    assert listener.heard > 0
