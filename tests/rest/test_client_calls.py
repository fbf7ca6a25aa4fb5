"""Single calls over the wire: sent once, sent again where that does no harm, and reported as they ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    ConfigurationError,
    Forbidden,
    ServerFault,
)
from airflow_provider_bitrix24.methods import METHODS, Method
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of

GET, ADD, UPDATE, DELETE = "crm.item.get", "crm.item.add", "crm.item.update", "crm.item.delete"
ONE = {"entityTypeId": 2, "id": 1}
NEW = {"entityTypeId": 2, "fields": {"title": "once"}}
CHANGE = {**ONE, "fields": {"title": "changed"}}


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


LOST: list[tuple[str, dict[str, Any]]] = [
    ("reset_before", {}),
    ("reset_after", {}),
    ("close_after", {}),
    ("truncated", {}),
    *(("status_before", {"status": status}) for status in (200, 403, 404, 429, 500, 502, 503, 504)),
    *(("status_after", {"status": status}) for status in (200, 403, 404, 429, 500, 502, 503, 504)),
    *(("body", {"body": body}) for body in (b"", b"null", b"{}", b"[]", b"NaN", b'{"result": ', b"\xff")),
]


@pytest.mark.parametrize(("kind", "options"), LOST)
def test_an_add_whose_answer_was_lost_is_sent_once(
    portal: Sandbox, client: Client, kind: str, options: dict[str, Any]
) -> None:
    portal.fault(kind, times=None, **options)
    with pytest.raises(AnswerLost, match=r"check with crm\.item\.list before you run this again") as lost:
        client.call(ADD, NEW)
    assert (portal.count(ADD), lost.value.retryable, lost.value.ran) == (1, False, "unknown")


@pytest.mark.parametrize("name", ["acme.thing.do", "crm.documentgenerator.document.add", "im.notify", "bizproc.start"])
def test_what_is_not_known_to_be_harmless_is_sent_once(portal: Sandbox, client: Client, name: str) -> None:
    portal.fault("status_before", times=None, status=504)
    with pytest.raises(AnswerLost):
        client.call(name, {})
    assert portal.requests == 1


def test_a_slow_answer_is_not_a_reason_to_do_it_again(portal: Sandbox) -> None:
    portal.fault("slow", method=ADD, seconds=0.6, executed=True)
    with client_of(portal, timeout_seconds=0.2) as client, pytest.raises(AnswerLost, match=r"no answer within 0\.2 s"):
        client.call(ADD, NEW)
    assert (portal.count(ADD), portal.executed(ADD)) == (1, 1)


@pytest.mark.parametrize(("kind", "options"), [fault for fault in LOST if fault[1].get("status") not in (403, 404)])
@pytest.mark.parametrize(("method", "params"), [(GET, ONE), (UPDATE, CHANGE)])
def test_what_does_no_harm_is_sent_again(
    portal: Sandbox, client: Client, method: str, params: dict[str, Any], kind: str, options: dict[str, Any]
) -> None:
    portal.fault(kind, times=3, **options)
    client.call(method, params)
    assert portal.count(method) == 4


def test_what_was_tried_often_enough_is_raised_as_what_it_was(portal: Sandbox) -> None:
    naps = Naps(portal)
    portal.fault("status_before", times=None, status=502, title="Bad Gateway")
    with client_of(portal, naps=naps) as client, pytest.raises(AnswerLost, match="HTTP 502, an HTML page") as lost:
        client.call(GET, ONE)
    assert (portal.requests, naps.taken, lost.value.retryable) == (4, [1.0, 2.0, 4.0], True)


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"])
def test_a_fault_of_the_portal_may_have_run(portal: Sandbox, client: Client, code: str) -> None:
    portal.fault("error", times=None, code=code, status=500)
    with pytest.raises(ServerFault) as fault:
        client.call(ADD, NEW)
    assert (portal.count(ADD), fault.value.retryable, fault.value.ran) == (1, False, "unknown")
    with pytest.raises(ServerFault):
        client.call(GET, ONE)
    assert portal.count(GET) == 4


@pytest.mark.parametrize("code", ["ACCESS_DENIED", "NOT_FOUND", "INVALID_ARG_VALUE", "INVALID_CREDENTIALS", "", 0, 100])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
def test_a_refusal_is_not_asked_for_again(portal: Sandbox, client: Client, code: Any, status: int) -> None:
    portal.fault("error", method=GET, times=None, code=code, description="Нет", status=status)
    with pytest.raises(Bitrix24Error) as refused:
        client.call(GET, ONE)
    assert (portal.count(GET), refused.value.retryable) == (1, False)
    # Codes that say nothing prove nothing.
    assert refused.value.ran == ("unknown" if code in ("", 0) else "no")


def test_a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_done(portal: Sandbox, client: Client) -> None:
    portal.fault("reset_after", method=UPDATE)
    portal.fault("error", method=UPDATE, code="ACCESS_DENIED", status=403)
    with pytest.raises(Forbidden) as refused:
        client.call(UPDATE, CHANGE)
    assert (portal.executed(UPDATE), refused.value.ran) == (1, "unknown")


def test_nor_does_a_batch(portal: Sandbox, client: Client) -> None:
    portal.fault("reset_after", method="batch")
    portal.fault("error", method=UPDATE, after=1, code="ACCESS_DENIED", status=403)
    outcome = client.batch({"a": (UPDATE, CHANGE), "b": (DELETE, {**ONE, "id": 2})})
    assert (type(outcome.errors["a"]), outcome.errors["a"].ran) == (Forbidden, "unknown")
    assert outcome.results["b"] == []


def test_slow_failures_do_not_add_up_for_ever() -> None:
    with Sandbox(deals=1, method_seconds={GET: 100.0}) as portal, client_of(portal) as client:
        portal.fault("reset_after", times=None)
        with pytest.raises(AnswerLost):
            client.call(GET, ONE)
        assert portal.requests == 2


class Interrupted(BaseException):
    """As Airflow's ``execution_timeout`` and a kill: raised by a signal, in the middle of anything."""


def test_an_answer_that_was_not_waited_for_is_not_taken_for_the_next(portal: Sandbox, client: Client) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    client.call(GET, ONE)
    portal.fault("slow", method=GET, seconds=0.3)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interrupted):
            client.call(GET, {**ONE, "id": 2})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for number in (3, 4, 5):
        assert client.call(GET, {**ONE, "id": number})["item"]["id"] == number


def test_a_client_that_was_stopped_sends_nothing(portal: Sandbox, client: Client) -> None:
    rows = client.list("crm.deal.list")
    next(rows)
    portal.reset_calls()
    client.stop()
    for work in (
        lambda: client.call(GET, ONE),
        lambda: client.batch(dict.fromkeys(range(100), (GET, ONE))).all_results(),
        lambda: list(rows),
    ):
        with pytest.raises(Bitrix24Error):
            work()
    assert portal.requests == 0


def test_a_user_says_what_may_be_repeated(portal: Sandbox) -> None:
    portal.fault("reset_before", times=2)
    methods = METHODS.adding(Method("acme.report.build", repeat="harmless"))
    with client_of(portal, methods=methods) as client, pytest.raises(Bitrix24Error) as unknown:
        client.call("acme.report.build")
    assert unknown.value.code == "ERROR_METHOD_NOT_FOUND"
    assert portal.requests == 3


class NoTruth:
    """As arrays and tables of numpy and pandas: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


@pytest.mark.parametrize(
    "params", ["{}", "", "id=1", 5, 0, False, [1], [("id", 1)], ({"id": 1},), {"id"}, set(), NoTruth()]
)
def test_parameters_that_are_not_an_object_are_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, params: Any
) -> None:
    """A portal does not read them, and would run the method without any."""
    for work in (
        lambda: client.call("profile", params),
        lambda: client.batch({"a": ("profile", params)}),
        lambda: client.list("crm.deal.list", params),
        lambda: list(client.children("crm.deal.list", [1], lambda _: params)),
    ):
        with pytest.raises(ConfigurationError, match="the parameters are not an object: write e"):
            work()
    assert portal.requests == 0


@pytest.mark.parametrize(
    "method",
    [None, "", 5, b"profile", ["profile"], "crm..get", "../profile", "profile?id=1", "crm.dеal.get", "a" * 10_000],
)
def test_a_name_that_no_method_has_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, method: Any
) -> None:
    for work in (lambda: client.call(method), lambda: client.batch({"a": (method, None)}), lambda: client.list(method)):
        with pytest.raises(
            ConfigurationError, match="the name of the method is not valid: write it as the documentation does"
        ):
            work()
    assert portal.requests == 0


@pytest.mark.parametrize("name", ["batch", "Batch", "batch.json", " batch "])
@pytest.mark.parametrize("ask", ["call", "ask", "list"])
def test_a_batch_of_version_3_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, name: str, ask: str
) -> None:
    with pytest.raises(ConfigurationError, match="a batch of version 3 is not supported: call its methods one by one"):
        getattr(client, ask)(name, {"cmd": {"a": "tasks.task.get?id=1"}}, version=3)
    assert portal.requests == 0


@pytest.mark.parametrize("version", ["3", "2", 1, 4, 3.5, None, [3], NoTruth()])
def test_a_version_that_the_api_does_not_have_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, version: Any
) -> None:
    """It would be called as version 2, which is another method."""
    for work in (client.call, client.ask, client.list):
        with pytest.raises(
            ConfigurationError, match=r"tasks\.task\.list: there is no version .* of the REST API: write 2 or"
        ):
            work("tasks.task.list", version=version)
    assert portal.requests == 0


@pytest.mark.parametrize("command", ["profile", ("profile",), ("profile", {}, 1), {"method": "profile"}, None])
def test_a_command_that_is_not_a_pair_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, command: Any
) -> None:
    with pytest.raises(ConfigurationError, match="the command 'a' is not a pair of method and params: write"):
        client.batch({"b": ("profile", None), "a": command})
    assert portal.requests == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes", "\ud800"])
def test_a_value_without_a_form_is_refused_before_anything_is_sent(portal: Sandbox, client: Client, value: Any) -> None:
    """A body that is not JSON would be dropped by the portal, and the method run without its parameters."""
    with pytest.raises(ConfigurationError, match=r"fields\[title\]"):
        client.call(ADD, {"entityTypeId": 2, "fields": {"title": value}})
    assert portal.requests == 0


@pytest.mark.parametrize("params", [{"ID": 1, "id": 2}, {"FIELDS": {}, "fields": {"TITLE": "x"}}])
def test_two_spellings_of_one_parameter_are_refused_before_anything_is_sent(params, portal):
    with client_of(portal) as client:
        with pytest.raises(ConfigurationError, match="are the same parameter, and the portal would keep only one"):
            client.call("crm.deal.update", params)
        with pytest.raises(ConfigurationError, match="are the same parameter"):
            client.batch({"a": ("crm.deal.update", params)})
    assert portal.requests == 0


def test_a_filter_is_checked_for_who_reads_the_first_page_only(portal: Sandbox, client: Client) -> None:
    paging = {"start": -1, "order": {"TITLE": "DESC"}}
    client.check_list("crm.deal.list", {"filter": {"=TITLE": "x"}, "select": ["ID"], **paging})
    client.check_list(GET, ONE)
    for params, refusal in (
        ({"filter": {"TITEL": "x"}}, "return every row"),
        ({"select": ["TITEL"]}, "rows without it"),
        ({"filters": {"ID": 7}}, "did you mean filter"),
        ({"filter": "None"}, "not an object"),
    ):
        with pytest.raises(ConfigurationError, match=refusal):
            client.check_list("crm.deal.list", {**params, **paging})
    # The fields are asked for, and the list is not.
    assert {call.method for call in portal.calls} == {"crm.deal.fields"}
