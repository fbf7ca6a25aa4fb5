"""
Every documented parameter of every offered method changes the answer or what the portal holds, or is refused.

A test whose call has a parameter that does nothing here would be green, and its portal would do something else.
"""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatch

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods import METHODS
from airflow_provider_bitrix24.sandbox.methods.not_modelled import PLACES
from tests.sandbox import contract
from tests.sandbox.contract_objects import new_objects
from tests.sandbox.parameters import Probe, bases, documented, multiply, with_value

PAGES = {page: content for page, content in contract.pages().items() if page.lower() in METHODS}

_FEED = "what the portal's feed and history say to people, which no method reads"
_ELSEWHERE = "needs a state that one call cannot make: see `{}`"
_NOTIFIED, _QUEUED = _ELSEWHERE.format("test_notifications.py"), _ELSEWHERE.format("test_events.py")

#: ``page:parameter`` -> why its value changes nothing that a call could see.
WITHOUT_EFFECT = {
    "*:params.REGISTER_*": _FEED,
    "*:Params.REGISTER_*": _FEED,
    "crm.item.*mport:useOriginalUfNames": "names are taken in both spellings, and the answer is an id",
    "events:FULL": "the application has every scope",
    "crm.*:params": "holds the parameters that stand below it",
    "crm.quote.add:params.[DCM]*": "names for `fields`, where an import sets them",
    "crm.activity.*:fields.ASSOCIATED_ENTITY_ID": "read-only, says `crm.activity.fields`",
    "crm.activity.*:fields.IS_INCOMING_CHANNEL": "read-only, says `crm.activity.fields`",
    "crm.activity.update:fields.OWNER_*": "immutable, says `crm.activity.fields`",
    "crm.activity.update:fields.TYPE_ID": "immutable, says `crm.activity.fields`",
    "crm.activity.todo.*:parentActivityId": "no documented answer shows it",
    "crm.activity.todo.*:pingOffsets": "reminders to people; no documented answer shows them",
    "crm.item.*:fields.quoteId": "read-only, says `crm.item.fields`",
    "crm.type.list:start": "there is one smart process",
    "disk.storage.getList:order": "there is one storage",
    "disk.storage.getList:start": "there is one storage",
    "task.elapseditem.getlist:PARAMS": "holds the parameters that stand below it",
    "task.elapseditem.getlist:ORDER.*DATE*": "entries of one second: see `test_task_items.py` for orders",
    "department.get:START": "the departments are one page",
    "event.*:*": _QUEUED,
    "lists.element.add:LIST_ELEMENT_URL": "the address in messages to people",
    "im.notify*:TAG": _NOTIFIED,
    "im.notify*:SUB_TAG": _NOTIFIED,
    "im.notify*:CLIENT_ID": _NOTIFIED,
    "im.notify*:ACTION": _NOTIFIED,
    "im.notify*:ONLY_CURRENT": _NOTIFIED,
    "im.notify.get:*": _NOTIFIED,
    "im.notify.history.search:*": _NOTIFIED,
    "im.notify*:MESSAGE_OUT": "the text of an e-mail, which the sandbox does not send",
    "im.notify*:ATTACH": "no answer of `im.notify.get` shows it",
    "tasks.task.list:params": "holds the parameters that are refused",
    "user.get:ADMIN_MODE": "shows an administrator users whom others do not see; here everybody sees all",
    "user.search:ADMIN_MODE": "as in `user.get`",
    "crm.requisite.userfield.list:filter.*_LABEL": "no field of the filter, says the description of `filter`",
    "crm.requisite.userfield.list:filter.*_MESSAGE": "no field of the filter, says the description of `filter`",
    "crm.requisite.userfield.list:filter.LIST": "no field of the filter, says the description of `filter`",
    "crm.requisite.userfield.list:filter.SETTINGS": "no field of the filter, says the description of `filter`",
    "crm.requisite.userfield.update:fields.MULTIPLE": "immutable, say the sister pages",
    "userfieldconfig.update:field.userTypeId": "immutable: a field keeps its type",
    "userfieldconfig.list:Select.*": "names for the array `select`, which is tried as such",
}


@pytest.fixture(scope="module")
def new_portal(open_line):
    """``with new_portal() as (portal, call)``"""

    @contextmanager
    def open_portal():
        with Sandbox(deals=6, tasks=3, employees=2, seed=1) as portal:
            line = open_line(portal)

            def post(method, params):
                return (line.as_application if method.startswith("event") else line.post)(method, params)[1]

            yield portal, post

    return open_portal


@pytest.fixture(scope="module")
def probe(new_portal):
    with new_portal() as (portal, call):
        yield Probe(portal, call, _objects(portal, call))


@pytest.fixture(scope="module")
def crowded_probe(new_portal, probe):
    """The same objects, and more than a page of everything of which there is something."""
    with new_portal() as (portal, call):
        assert _objects(portal, call) == probe.objects
        multiply(portal)
        yield Probe(portal, call, probe.objects)


def _objects(portal, call):
    def result(method, params):
        return call(method, params)["result"]

    objects = new_objects(portal, result)
    objects["invoice"] = portal.items(31)[0]["id"]
    person = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "Second"}
    result("crm.requisite.add", {"fields": person})
    own_entry = {"SECONDS": 600, "COMMENT_TEXT": "x", "USER_ID": 7}
    result("task.elapseditem.add", {"TASKID": objects["task"], "ARFIELDS": own_entry})
    result(
        "crm.timeline.comment.add", {"fields": {"ENTITY_ID": objects["deal"], "ENTITY_TYPE": "deal", "COMMENT": "2"}}
    )
    own_list = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": objects["own list"]}
    result("lists.element.add", {**own_list, "ELEMENT_CODE": "second", "FIELDS": {"NAME": "Another Test"}})
    result("lists.add", {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "other", "FIELDS": {"NAME": "Other"}})
    result("im.message.add", {"DIALOG_ID": objects["own dialog"], "MESSAGE": "Second"})
    for name in (objects["drive file name"], "other.txt"):
        content = {"data": {"NAME": name}, "fileContent": [name, "eA=="]}
        result("disk.storage.uploadFile", {"id": objects["storage"], **content})
    for kind in ("company", "contact", "lead", "quote"):
        second = {"FIELD_NAME": "SECOND", "USER_TYPE_ID": "enumeration", "LIST": [{"VALUE": "One"}]}
        objects[f"choices of {kind}"] = result(f"crm.{kind}.userfield.add", {"fields": second})
        bound = {"id": objects[f"own {kind}"], "fields": {"CONTACT_ID": objects["contact"], "COMPANY_ID": 1}}
        result(f"crm.{kind}.{'company' if kind == 'contact' else 'contact'}.add", bound)
    objects["choice"] = result("crm.contact.userfield.get", {"id": objects["choices of contact"]})["LIST"][0]["ID"]
    return objects


@pytest.mark.parametrize("page", PAGES)
def test_every_parameter_counts(page, probe, crowded_probe):
    requests_ = [request["params"] for request in PAGES[page]["requests"] if "params" in request]
    if not requests_:
        return
    printed = contract.made_ready(page, requests_[0], probe.objects)
    ignored = []
    known: dict = {}
    for parameter in documented(page, PAGES[page]):
        if any(fnmatch(f"{page}:{parameter.name}", pattern) for pattern in WITHOUT_EFFECT):
            continue
        asked = crowded_probe if str(parameter.path[-1]).lower() == "start" else probe
        if not any(_counts(asked, parameter, base, known) for base in bases(parameter, printed, probe.objects)):
            ignored.append(parameter.name)
    assert ignored == []


def _counts(probe, parameter, base, known):
    """Whether any value of the parameter, or its absence, makes a difference."""
    key = (repr(base), probe)
    if key not in known:
        known[key] = probe.outcome(parameter.page, base)
    others = (with_value(base, parameter.path, value) for value in (..., *parameter.values))
    return any(other != base and probe.outcome(parameter.page, other) != known[key] for other in others)


@pytest.mark.parametrize(
    ("method", "place"), [(method, place) for method, places in PLACES.items() for place in places]
)
def test_a_parameter_that_is_not_modelled_is_refused_by_name(method, place, probe):
    params = with_value({}, tuple(0 if part == "*" else part for part in place.split(".")), "Y")
    answer = probe.send(method, params)
    assert answer["error"] == "NOT_MODELLED_BY_SANDBOX"
    assert place.lower() in answer["error_description"]


def test_nothing_that_is_not_documented_is_excused():
    names = {f"{page}:{parameter.name}" for page, content in PAGES.items() for parameter in documented(page, content)}
    assert [pattern for pattern in WITHOUT_EFFECT if not any(fnmatch(name, pattern) for name in names)] == []
