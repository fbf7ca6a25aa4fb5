from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

PREFIX = "BITRIX_REST_V3_EXCEPTION_"


@pytest.fixture
def ask_v3(http):
    def post(portal, method, params=None, user=None, **headers):
        url = portal.webhook(user).replace("/rest/", "/rest/api/") + method
        return http.post(url, json=params or {}, headers=headers, verify=portal.ca_file)

    return post


def code_of(response):
    assert set(response.json()) == {"error"}
    return response.status_code, response.json()["error"]["code"].removeprefix(PREFIX)


def test_pages_are_clamped_to_50_and_only_an_empty_one_ends_the_list(ask_v3):
    with Sandbox(tasks=120) as portal:
        sizes = []
        for page in (1, 2, 3, 4):
            params = {"select": ["id"], "order": {"id": "ASC"}, "pagination": {"page": page, "limit": 1000}}
            answer = ask_v3(portal, "tasks.task.list", params).json()
            assert set(answer) == {"result", "time"}
            sizes.append(len(answer["result"]["items"]))
        assert sizes == [50, 50, 20, 0]
        params = {"filter": [["id", ">", 118]], "select": ["id"], "order": {"id": "DESC"}}
        assert ask_v3(portal, "tasks.task.list", params).json()["result"]["items"] == [{"id": 120}, {"id": 119}]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"filter": [["title", "=", "x"]]}, "VALIDATION_REQUESTFILTERVALIDATIONEXCEPTION"),
        ({"filter": [["id", "~", 1]]}, "UNKNOWNFILTEROPERATOREXCEPTION"),
        ({"filter": [["id", ">", "1"]]}, "VALIDATION_REQUESTVALIDATIONEXCEPTION"),
        ({"filter": {"ID": 1}}, "INVALIDFILTEREXCEPTION"),
        ({"order": {"ID": "ASC"}}, "INVALIDORDEREXCEPTION"),
        ({"pagination": {"limit": "abc"}}, "INVALIDPAGINATIONEXCEPTION"),
    ],
)
def test_lists_refuse_what_they_do_not_know(portal, ask_v3, params, code):
    assert code_of(ask_v3(portal, "tasks.task.list", params)) == (400, code)


def test_lists_take_groups_of_conditions_and_values_without_an_operator(portal, ask_v3):
    def ids(*filter_):
        answer = ask_v3(portal, "tasks.task.list", {"select": ["id"], "filter": filter_}).json()
        return [item["id"] for item in answer["result"]["items"]]

    either = {"logic": "or", "conditions": [["id", [1, 2]], ["id", ">", 18]]}
    assert ids(["id", [3, 4]]) == [3, 4]
    assert ids(either) == [1, 2, 19, 20]
    assert ids(either, ["id", "<", 20]) == [1, 2, 19]


def test_a_task_brings_fields_of_its_people(portal, ask_v3):
    select = ["id", "responsible.name", "responsible.email", "creator.id"]
    item = ask_v3(portal, "tasks.task.get", {"id": 1, "select": select}).json()["result"]["item"]
    assert set(item) == {"id", "responsible", "creator"}
    assert set(item["responsible"]) == {"name", "email"}
    unknown = ask_v3(portal, "tasks.task.get", {"id": 1, "select": ["nonsense"]})
    assert unknown.json()["error"]["message"] == "Unknown field `nonsense` for entity `TaskDto`"
    unknown = ask_v3(portal, "tasks.task.get", {"id": 1, "select": ["responsible.stageId"]})
    assert code_of(unknown) == (400, "UNKNOWNDTOPROPERTYEXCEPTION")


def test_an_idempotency_key_makes_a_repeated_add_harmless(portal, ask_v3):
    task = {"fields": {"title": "once", "creatorId": 1, "responsibleId": 7}}
    first, second = (ask_v3(portal, "tasks.task.add", task, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")
    assert portal.executed("tasks.task.add") == 1
    other = {"fields": {**task["fields"], "title": "other"}}
    reused = ask_v3(portal, "tasks.task.add", other, **{"Idempotency-Key": "k"})
    assert code_of(reused) == (422, "IDEMPOTENCYKEYREUSEDEXCEPTION")
    too_long = ask_v3(portal, "tasks.task.add", task, **{"Idempotency-Key": "k" * 256})
    assert code_of(too_long) == (400, "INVALIDIDEMPOTENCYKEYEXCEPTION")
    portal.clock.advance(24 * 60 * 60)
    assert ask_v3(portal, "tasks.task.add", other, **{"Idempotency-Key": "k"}).json()["result"]["item"]["id"]


def test_a_read_with_an_idempotency_key_is_a_fresh_read(portal, ask_v3):
    before = ask_v3(portal, "tasks.task.list", **{"Idempotency-Key": "k"}).json()["result"]["items"]
    ask_v3(portal, "tasks.task.add", {"fields": {"title": "x", "creatorId": 1, "responsibleId": 7}})
    after = ask_v3(portal, "tasks.task.list", **{"Idempotency-Key": "k"}).json()["result"]["items"]
    assert len(after) == len(before) + 1


def test_a_refused_add_does_not_use_up_its_key(portal, ask_v3):
    for title in ("", "now"):
        task = {"fields": {"title": title, "creatorId": 1, "responsibleId": 7}}
        answer = ask_v3(portal, "tasks.task.add", task, **{"Idempotency-Key": "k"})
    assert answer.json()["result"]["item"]["title"] == "now"


@pytest.mark.parametrize(
    ("params", "field"),
    [({}, "fields"), ({"fields": {"creatorId": 1}}, "title"), ({"fields": {"title": "x", "creatorId": 1}}, "respons")],
)
def test_validation_names_the_field(portal, ask_v3, params, field):
    response = ask_v3(portal, "tasks.task.add", params)
    assert code_of(response) == (400, "VALIDATION_REQUESTVALIDATIONEXCEPTION")
    assert response.json()["error"]["validation"][0]["field"].startswith(field)


def test_not_found_is_400(portal, ask_v3):
    assert ask_v3(portal, "tasks.task.get", {"id": 1}).json()["result"]["item"]["status"] == "pending"
    assert code_of(ask_v3(portal, "tasks.task.get", {"id": 999})) == (400, "ENTITYNOTFOUNDEXCEPTION")


def test_common_refusals_have_their_own_names(portal, http, ask_v3):
    assert code_of(ask_v3(portal, "crm.deal.list")) == (404, "METHODNOTFOUNDEXCEPTION")
    assert code_of(ask_v3(portal, "TASKS.task.list")) == (404, "METHODNOTFOUNDEXCEPTION")
    wrong = http.post(f"{portal.url}/rest/api/1/wrong/tasks.task.list", verify=portal.ca_file)
    assert code_of(wrong) == (401, "ACCESSDENIEDEXCEPTION")
    url = portal.webhook().replace("/rest/", "/rest/api/") + "tasks.task.list"
    for text in ("{", "[" * 100_000, r'{"filter": "\ud800"}'):
        assert code_of(http.post(url, data=text, verify=portal.ca_file)) == (400, "INVALIDJSONEXCEPTION")
    portal.fault("operation_time_limit")
    assert code_of(ask_v3(portal, "tasks.task.list")) == (429, "RATELIMITEXCEPTION")
    portal.plan_has_rest = False
    assert code_of(ask_v3(portal, "tasks.task.list")) == (403, "LICENSEEXCEPTION")
    portal.plan_has_rest = True
    portal.scopes.discard("tasks")
    assert code_of(ask_v3(portal, "tasks.task.list")) == (403, "INSUFFICIENTSCOPEEXCEPTION")
