"""The sandbox against the documentation: printed requests are accepted, and answers have the printed shape."""

from __future__ import annotations

import re

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods import METHODS, METHODS_V3
from tests.sandbox import contract
from tests.sandbox.contract_objects import new_objects
from tests.sandbox.deviations import deviations
from tests.sandbox.snapshot import Snapshot

PAGES = contract.pages()

#: Methods in the examples of the page on REST 3.0 whose own pages are not among ours.
NOT_OFFERED = {"tasks.task.chat.message.send", "tasks.task.field.list", "rest.scope.list"}

REQUESTS = [
    pytest.param(page, number, id=f"{page}-{number}-{request['auth']}")
    for page, content in PAGES.items()
    for number, request in enumerate(content["requests"])
    if "params" in request and request["method"] not in NOT_OFFERED
]

#: Printed requests that are refused, and why.
REFUSED = {
    "crm.contact.userfield.update": "the third example has no `id`, which its own table requires",
    "sale.payment.list": "filters by `personTypeId` and `payed`: no fields of a payment, says the page's own table",
}

#: Of their requests, those that are accepted.
ACCEPTED = {
    ("crm.contact.userfield.update", 0),
    ("crm.contact.userfield.update", 1),
}

#: Places where answers differ from the printed ones, as patterns, and why.
DEVIATIONS = {
    "batch": (r"\.result\.result\.get_user\.TIMESTAMP_X", "text here, an empty object on the page of `user.current`"),
    "catalog.product.list": (r"\.result\.products\[0\]\.property", "goods of the documentation's own catalogue"),
    "crm.activity.list": (r"\.time\.operating_reset_at", "a time as text here only: a number on every other page"),
    **dict.fromkeys(
        [f"crm.documentgenerator.document.{action}" for action in ("add", "get", "update")],
        (r"\.result\.document\.(image|pdf)Url", "the sandbox makes neither a PDF nor an image of a document"),
    ),
    "crm.documentgenerator.document.list": (
        r"\.result\.documents\[0\]\.(\w+Id|updateTime|values|createdBy|updatedBy|(pdf|image)Url)",
        "prints fields that its own `select` leaves out; the sandbox makes neither a PDF nor an image",
    ),
    "crm.stagehistory.list": (
        r"\.result\.items\[0\]\.(TYPE|OWNER|CATEGORY|STAGE_SEMANTIC)_ID",
        "prints fields that its own `select` leaves out",
    ),
    "event.offline.list": (
        r"\.result\[0\]\.EVENT_(DATA|ADDITIONAL)",
        "`false` is printed; a portal tells which object it was, and who changed it (server source)",
    ),
    "userfieldconfig.add": (r"\.result\.field\.\w+\.ru", "a language of the documentation's own portal"),
    "userfieldconfig.getTypes": (r"\.result\.types\.rest_219_test", "a type of an application of the documentation"),
    "tasks.task.getFields": (r"\.result\.fields\.UF_NEW_TASKS_FIELD", "a field of the documentation's own portal"),
    **dict.fromkeys(
        ("tasks.task.defer", "tasks.task.pause", "tasks.task.renew", "tasks.task.start"),
        (r"\.result\.time", "printed inside `result`, a slip of the pages"),
    ),
    "tasks.task.list": (
        r"\.result\.tasks\[0\]\.(length|task|time|parsed|counter|tags|subStatus|\w+Data)",
        "results, timers and counters of a task, which the sandbox does not keep",
    ),
}


#: Places that are empty in answers and not in the printed ones, as patterns, and why.
EMPTY = {
    "catalog.product.list": (r"\.result\.products\[0\]\.\w+Picture is", "goods of the sandbox have no pictures"),
    **dict.fromkeys(
        ("crm.type.get", "crm.type.getByEntityTypeId"),
        (r"\.result\.type\.relations\.child is", "nothing stands below its smart process"),
    ),
    "event.offline.get": (r"\.result\.events is", "rows of a connector, and of an event of long ago: `test_events.py`"),
    "im.dialog.messages.get": (r"\.result\.(files|messages\[0\]\.params) is", "files and likes of messages"),
    "im.notify.history.search": (r"\.result\.(users|notifications) is", "a search for a day and a task of its own"),
    **dict.fromkeys(
        ("task.checklistitem.get", "task.checklistitem.getlist"),
        (r"\.result(\[0\])?\.ATTACHMENTS is", "files of check lists, which no offered method attaches"),
    ),
    **dict.fromkeys(
        [f"tasks.task.{action}" for action in ("complete", "defer", "pause", "renew", "start")],
        (r"\.result\.task\.group is", "work groups, which the sandbox does not have"),
    ),
}


@pytest.fixture(scope="module")
def portal():
    with Sandbox(deals=120, seed=1, operating_limit=10_000) as portal:
        portal.add_items(1, 60, opportunity=15_000)
        yield portal


@pytest.fixture(scope="module")
def http(portal):
    with requests.Session() as session:
        session.trust_env, session.verify = False, portal.ca_file
        yield session


@pytest.fixture(scope="module")
def application(portal):
    return portal.application()


@pytest.fixture(scope="module")
def listener(portal, http):
    """An application that gets events of new leads, as those of the pages on events."""
    listener = portal.application()
    for binding in ({"handler": "https://www.my-domain.com/handler/"}, {"event_type": "offline"}):
        params = {"event": "ONCRMLEADADD", **binding, "auth": listener.grant()["access_token"]}
        answer = http.post(f"{portal.url}/rest/event.bind", json=params, timeout=10)
        assert answer.json()["result"] is True
    return listener


@pytest.fixture(scope="module")
def objects(portal, http, listener):
    def result(method, params):
        return http.post(portal.webhook() + method, json=params, timeout=10).json()["result"]

    return new_objects(portal, result)


@pytest.fixture(scope="module")
def snapshot(portal, objects):
    return Snapshot(portal)


@pytest.fixture
def send(portal, http, application, listener, objects, snapshot):
    """``send(page, number)`` sends a printed request as its page does: at a webhook or with an access token."""

    def post(page, number):
        request = PAGES[page]["requests"][number]
        params = contract.made_ready(page, request["params"], objects)
        root = portal.webhook() if request["auth"] == "webhook" else f"{portal.url}/rest/"
        if request["auth"] == "oauth":
            caller = listener if page.startswith("event.") and page != "event.bind" else application
            params["auth"] = caller.grant()["access_token"]
        if request["rest"] == "v3":
            root = root.replace("/rest/", "/rest/api/")
        return http.post(root + request["method"], json=params, headers=request.get("headers"), timeout=10)

    yield post
    snapshot.restore()


@pytest.mark.parametrize(("page", "number"), REQUESTS)
def test_a_printed_request_is_accepted(page, number, send):
    answer = send(page, number)
    body = answer.json()
    if page in REFUSED and (page, number) not in ACCEPTED:
        assert "error" in body, "No longer refused: take it off the list."
        return
    assert "error" not in body, body
    assert answer.status_code == 200
    assert "result" in body


@pytest.mark.parametrize(
    "page", [page for page, content in PAGES.items() if content.get("responses") and page not in REFUSED]
)
def test_an_answer_has_the_printed_shape(page, send):
    requests = PAGES[page]["requests"]
    # `app.info` prints what an application gets; events are for applications only.
    auths = {request["auth"] for request in requests if "params" in request}
    auth = "oauth" if page == "app.info" or "webhook" not in auths else "webhook"
    numbers = [i for i, request in enumerate(requests) if request["auth"] == auth and "params" in request]
    # The printed answer of `batch` belongs to the second example.
    number = numbers[1 if page == "batch" else 0]
    found = list(deviations(PAGES[page]["responses"][0]["body"], send(page, number).json()))
    for expected, _ in filter(None, (DEVIATIONS.get(page), EMPTY.get(page))):
        known = [place for place in found if re.match(expected, place)]
        assert known, "No longer different: take it off the list."
        found = [place for place in found if place not in known]
    assert not found, "\n".join(found)


def test_only_methods_that_are_not_offered_are_passed_over():
    assert not NOT_OFFERED & set(METHODS_V3)


def test_every_offered_method_has_its_page_here():
    pages = {page.lower() for page in PAGES}
    # One method is documented without a page of its own.
    assert {method for method in METHODS if method not in pages} == {"sale.paysystem.pay.payment"}


def test_nothing_is_left_behind(portal, send, snapshot):
    before = portal.items(2)
    for page, number in (("crm.deal.add", 0), ("crm.deal.userfield.add", 0), ("user.add", 0), ("event.bind", -1)):
        assert "result" in send(page, number).json()
        assert snapshot.changed(), page
        snapshot.restore()
        assert snapshot.changed() == {}
    assert portal.items(2) == before
