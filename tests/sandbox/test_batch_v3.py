"""``batch`` of REST 3.0, and the document in which a portal describes its methods."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods import METHODS_V3

PREFIX = "BITRIX_REST_V3_EXCEPTION_"


@pytest.fixture
def ask_v3(http):
    def post(portal, method, body=None, **headers):
        url = portal.webhook().replace("/rest/", "/rest/api/") + method
        return http.post(url, json=body, headers=headers, verify=portal.ca_file, timeout=10)

    return post


def code_of(answer):
    assert set(answer.json()) == {"error"}
    return answer.status_code, answer.json()["error"]["code"].removeprefix(PREFIX)


def get(task_id, **more):
    return {"method": "tasks.task.get", "query": {"id": task_id, "select": ["id"]}, **more}


def add(title, **fields):
    return {
        "method": "tasks.task.add",
        "query": {"fields": {"title": title, "creatorId": 1, "responsibleId": 7, **fields}},
    }


def titles(portal):
    return [task["title"] for task in portal.tasks()]


def test_results_stand_in_the_order_of_the_calls(portal, ask_v3):
    answer = ask_v3(portal, "batch", [get(2), get(1)])
    assert answer.json()["result"] == [{"item": {"id": 2}}, {"item": {"id": 1}}]
    assert (portal.requests, portal.executed("tasks.task.get"), len(portal.calls[0].commands)) == (1, 2, 2)


def test_one_failure_is_the_whole_answer_although_earlier_calls_took_effect(portal, ask_v3):
    answer = ask_v3(portal, "batch", [add("first"), get(999), add("third")])
    assert code_of(answer) == (400, "ENTITYNOTFOUNDEXCEPTION")
    assert "first" in titles(portal)
    assert "third" not in titles(portal)


def test_an_unknown_method_keeps_all_from_running(portal, ask_v3):
    for method in ("crm.deal.list", "batch"):
        answer = ask_v3(portal, "batch", [add("first"), {"method": method}])
        assert code_of(answer) == (404, "METHODNOTFOUNDEXCEPTION")
    assert "first" not in titles(portal)


@pytest.mark.parametrize("method", [None, {"a": 1}, ["tasks.task.get"]])
def test_a_method_that_is_not_a_text_is_unknown(portal, ask_v3, method):
    assert code_of(ask_v3(portal, "batch", [{"method": method}])) == (404, "METHODNOTFOUNDEXCEPTION")


def test_later_calls_use_results_of_named_ones(portal, ask_v3):
    new = {**add("new"), "as": "new"}
    rows = {"method": "tasks.task.list", "query": {"filter": [["id", [3, 5]]]}, "as": "rows"}
    again = {"method": "tasks.task.list", "query": {"select": ["id"], "filter": [["id", {"$refArray": "rows.id"}]]}}
    body = ask_v3(portal, "batch", [new, get({"$ref": "new.item.id"}), rows, again]).json()
    assert body["result"][1]["item"]["id"] == body["result"][0]["item"]["id"]
    assert body["result"][3]["items"] == [{"id": 3}, {"id": 5}]
    nowhere = ask_v3(portal, "batch", [get(1, **{"as": "one"}), get({"$ref": "one.item.nothing"})])
    assert code_of(nowhere) == (400, "VALIDATION_REQUESTVALIDATIONEXCEPTION")


def test_an_empty_batch_is_refused(portal, ask_v3):
    assert code_of(ask_v3(portal, "batch", [])) == (400, "VALIDATION_REQUESTVALIDATIONEXCEPTION")


def test_an_idempotency_key_makes_a_repeated_batch_harmless(portal, ask_v3):
    first, second = (ask_v3(portal, "batch", [add("once")], **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert titles(portal).count("once") == 1
    other = ask_v3(portal, "batch", [add("other")], **{"Idempotency-Key": "k"})
    assert code_of(other) == (422, "IDEMPOTENCYKEYREUSEDEXCEPTION")


def test_an_applications_token_stands_in_an_object_of_calls_or_in_a_header(portal, http):
    token = portal.application().grant()["access_token"]
    url = f"{portal.url}/rest/api/batch"
    in_body = http.post(url, json={"0": get(1), "auth": token}, verify=portal.ca_file, timeout=10)
    in_header = http.post(
        url, json=[get(1)], headers={"Authorization": f"Bearer {token}"}, verify=portal.ca_file, timeout=10
    )
    assert in_body.json()["result"] == in_header.json()["result"] == [{"item": {"id": 1}}]


def test_faults_scopes_and_operating_time_apply_to_single_calls(ask_v3):
    with Sandbox(operating_limit=10, method_seconds={"tasks.task.get": 4}) as portal:
        portal.fault("error", "tasks.task.add", code="BITRIX_REST_V3_EXCEPTION_X", description="x", status=400)
        assert code_of(ask_v3(portal, "batch", [get(1), add("never")])) == (400, "X")
        assert "never" not in titles(portal)
        # Three of four seconds each have run: one more is too much.
        assert "result" in ask_v3(portal, "batch", [get(1), get(2)]).json()
        assert code_of(ask_v3(portal, "batch", [get(1)])) == (429, "RATELIMITEXCEPTION")
        portal.scopes.discard("tasks")
        assert code_of(ask_v3(portal, "batch", [add("never")])) == (403, "INSUFFICIENTSCOPEEXCEPTION")


@pytest.mark.parametrize("method", ["rest.documentation.openapi", "documentation"])
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_the_openapi_document_is_the_whole_answer_and_names_all_methods(portal, http, method, verb):
    url = portal.webhook().replace("/rest/", "/rest/api/") + method
    document = http.request(verb, url, verify=portal.ca_file, timeout=10).json()
    assert document["openapi"] == "3.0.0"
    assert document["info"] == {"title": "Bitrix24 REST V3 API", "version": "1.0.0"}
    assert set(document["paths"]) == {f"/{name}" for name in (*METHODS_V3, "batch")}
    assert set(document["paths"]["/tasks.task.get"]) == {"post"}
    assert set(document["paths"][f"/{method}"]) == {"get", "post"}
    assert document["components"]["schemas"]["TaskDto"]["properties"]["id"] == {"type": "integer"}
    assert portal.webhook().rstrip("/").rpartition("/")[2] not in str(document)


def test_the_openapi_document_leaves_out_what_the_scopes_do_not_open(portal, ask_v3):
    portal.scopes.discard("tasks")
    document = ask_v3(portal, "rest.documentation.openapi").json()
    assert set(document["paths"]) == {"/documentation", "/rest.documentation.openapi", "/batch"}
