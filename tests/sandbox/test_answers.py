"""Every documented method gets an answer: the sandbox's own, one that the user has set, or a refusal that says how."""

from __future__ import annotations

import json

import pytest

from airflow_provider_bitrix24.sandbox import Page, Sandbox
from airflow_provider_bitrix24.sandbox.methods import METHODS, METHODS_V3
from airflow_provider_bitrix24.sandbox.methods.documented import documented
from tests.sandbox import contract
from tests.sandbox.contract_objects import new_objects
from tests.sandbox.snapshot import Snapshot

NOT_OFFERED, NOT_MODELLED = "NOT_OFFERED_BY_SANDBOX", "NOT_MODELLED_BY_SANDBOX"
EXCEPTION = "BITRIX_REST_V3_EXCEPTION_"
PAGES = contract.pages()
#: Codes that the pages print, as an answer or in their tables.
DOCUMENTED_ERRORS = {
    *(str(row.get("code")) for page in PAGES.values() for row in page.get("error_codes", [])),
    *(str(error["body"].get("error")) for page in PAGES.values() for error in page.get("errors", [])),
}
#: Codes that hold what was sent, or are sentences of the server that no page has.
EMBEDDED = ("Communication type '", "Communication values is not defined")
STRANGE = (None, [None], [[1]], {"a": {"b": 1}})


def test_every_documented_method_is_answered_or_refused_with_what_to_do(open_line):
    with Sandbox() as portal:
        line = open_line(portal)
        for name in documented(version=2).values():
            status, answer = line.post(name, {})
            offered = name.lower() in METHODS or name == "batch"
            assert status < 500, name
            assert answer.get("error") != "ERROR_METHOD_NOT_FOUND", name
            assert (answer.get("error") == NOT_OFFERED) is not offered, name
            if not offered:
                assert f"portal.answers['{name}'] = " in answer["error_description"]
    assert len(documented()) == 1641


def test_every_documented_method_of_rest_3_too(portal, http):
    http.verify = portal.ca_file
    names = documented(version=3).values()
    for name in names:
        response = http.post(portal.webhook().replace("/rest/", "/rest/api/") + name, json={}, timeout=10)
        answer = response.json()
        offered = name in METHODS_V3 or name == "batch"
        assert response.status_code < 500, name
        if offered:
            assert "result" in answer or "openapi" in answer or answer["error"]["code"].startswith(EXCEPTION), name
        else:
            assert answer["error"]["code"] == NOT_OFFERED, name
            assert f"portal.answers['{name}'] = " in answer["error"]["message"]
    assert METHODS_V3.keys() - names == {"documentation", "rest.documentation.openapi"}


class TestStrangeValues:
    """Every offered method, with values of another form in each of its parameters, never fails itself."""

    @pytest.fixture(scope="class")
    def portal(self):
        with Sandbox(deals=6, tasks=3, employees=2, seed=1, operating_limit=1_000_000) as portal:
            yield portal

    @pytest.fixture(scope="class")
    def post(self, portal, open_line):
        line = open_line(portal)

        def send(method, params):
            for_applications = method.startswith("event.") or method == "app.info"
            return (line.as_application if for_applications else line.post)(method, params)

        return send

    @pytest.fixture(scope="class")
    def objects(self, portal, post):
        return new_objects(portal, lambda method, params: post(method, params)[1]["result"])

    @pytest.fixture(scope="class")
    def snapshot(self, portal, objects):
        return Snapshot(portal)

    @pytest.mark.parametrize("page", [page for page in PAGES if page.lower() in METHODS])
    def test_the_answer_is_a_result_or_a_documented_error(self, page, post, objects, snapshot):
        for params in _strange(page, objects):
            status, answer = post(page, params)
            assert status < 500, params
            if "error" in answer:
                code = str(answer["error"])
                assert code in DOCUMENTED_ERRORS or code.startswith(EMBEDDED) or code == NOT_MODELLED, answer
            else:
                assert {"result", "time"} <= answer.keys(), answer
            snapshot.restore()


def _strange(page, objects):
    """The first printed request, with one value after the other in another form, and calls with no other values."""
    tops = {row["name"] for table in PAGES[page].get("parameters", [])[:1] for row in table["rows"]}
    yield from (dict.fromkeys(tops, value) for value in ("x", -1, 999_999, *STRANGE))
    printed = [request["params"] for request in PAGES[page]["requests"] if "params" in request]
    ready = contract.made_ready(page, printed[0], objects) if printed else {}
    if not isinstance(ready, dict):
        return
    for name, old in ready.items():
        for value in STRANGE:
            yield {**ready, name: value}
            for key in old if isinstance(old, dict) else ():
                yield {**ready, name: {**old, key: value}}


def test_a_method_of_the_other_version_is_not_found(portal, ask, http):
    assert ask(portal, "note.document.get").json()["error"] == "ERROR_METHOD_NOT_FOUND"
    http.verify = portal.ca_file
    url = portal.webhook().replace("/rest/", "/rest/api/") + "crm.deal.list"
    assert http.post(url, json={}, timeout=10).json()["error"]["code"].endswith("METHODNOTFOUNDEXCEPTION")


def test_methods_that_nobody_documents_are_not_found(portal, ask):
    assert ask(portal, "crm.deal.fly").json()["error"] == "ERROR_METHOD_NOT_FOUND"


def test_a_value_is_the_result_for_any_spelling_of_the_method(portal, ask):
    portal.answers["crm.dealCategory.get"] = {"ID": 9}
    assert ask(portal, "crm.dealcategory.get").json()["result"] == {"ID": 9}
    batch = ask(portal, "batch", {"cmd": {"a": "crm.dealcategory.get?id=9"}}).json()["result"]
    assert batch["result"] == {"a": {"ID": 9}}
    assert portal.executed("crm.dealcategory.get") == 2
    del portal.answers["crm.dealcategory.get"]
    assert ask(portal, "crm.dealcategory.get").json()["error"] == NOT_OFFERED


def test_a_list_holds_answers_in_turn_and_the_last_one_stays(portal, ask):
    portal.answers["calendar.event.get"] = [[], [{"ID": "1"}]]
    results = [ask(portal, "calendar.event.get").json()["result"] for _ in range(3)]
    assert results == [[], [{"ID": "1"}], [{"ID": "1"}]]


def test_a_function_gets_the_parameters_and_may_give_a_page(portal, ask):
    portal.answers["calendar.event.get"] = lambda params: Page([params["ID"]], total=120, next=50)
    answer = ask(portal, "calendar.event.get", {"ID": "7"}).json()
    assert (answer["result"], answer["total"], answer["next"]) == (["7"], 120, 50)


def test_own_answers_win_and_need_no_scope(portal, ask):
    portal.scopes = set()
    portal.answers["crm.deal.get"] = {"ID": "x"}
    assert ask(portal, "crm.deal.get", {"id": 1}).json()["result"] == {"ID": "x"}


def test_rest_3_has_them_too(portal, http):
    http.verify = portal.ca_file
    url = portal.webhook().replace("/rest/", "/rest/api/") + "tasks.task.access.get"
    refused = http.post(url, json={"id": 1}, timeout=10).json()["error"]
    assert refused["code"] == NOT_OFFERED
    portal.answers["tasks.task.access.get"] = {"item": {"read": True}}
    assert http.post(url, json={"id": 1}, timeout=10).json()["result"] == {"item": {"read": True}}
    assert "tasks.task.access.get" not in METHODS_V3


@pytest.mark.parametrize(
    ("method", "answer", "message"),
    [
        ("crm.dealcategroy.get", 1, "There is no method 'crm.dealcategroy.get': write crm.dealcategory.get"),
        ("calendar.*", 1, r"method='calendar\.\*' is a pattern: name one method\."),
        ("calendar.event.get", [], r"The answers of calendar.event.get are an empty list: write \[\[\]\] for a result"),
        ("calendar.event.get", {1, 2}, "The answer of calendar.event.get is not JSON"),
        ("calendar.event.get", float("nan"), "The answer of calendar.event.get is not JSON"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_when_it_is_set(portal, method, answer, message):
    with pytest.raises(ValueError, match=message):
        portal.answers[method] = answer


def test_answers_are_read_from_a_file(sandbox_command, tmp_path, http):
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"calendar.event.get": {"ID": "1"}}))
    with sandbox_command("--answers", str(file)) as variables:
        http.verify = variables["BITRIX24_SANDBOX_CA_FILE"]
        answer = http.post(variables["BITRIX24_SANDBOX_WEBHOOK"] + "calendar.event.get", timeout=10)
        assert answer.json()["result"] == {"ID": "1"}
    with pytest.raises(ValueError, match=r"The answers cannot be read from .*none.json"):
        Sandbox(answers=tmp_path / "none.json")
