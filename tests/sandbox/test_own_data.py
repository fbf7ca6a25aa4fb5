"""A portal with objects of the user's own."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

DATA = {
    "users": [{"id": 12, "name": "Ada", "lastName": "Berg", "email": "ada@example.com"}],
    "companies": [{"id": 5, "title": "Oak & Co"}],
    "contacts": [
        {"id": 3, "name": "Boris", "fm": [{"typeId": "EMAIL", "valueType": "WORK", "value": "b@example.com"}]}
    ],
    "deals": [
        {"title": "Without an id"},
        {
            "id": 13,
            "title": "Oak door",
            "stageId": "WON",
            "opportunity": 90.5,
            "closedate": "2026-03-31",
            "createdTime": "2026-01-31T18:00:00+03:00",
            "assignedById": 12,
            "contactId": 3,
            "ufCrm_MY_FIELD": "A-17",
            "payments": [{"sum": 10}, {"id": 1036, "sum": 90.5, "paid": True, "paySystemId": 10, "currency": "EUR"}],
        },
        {"id": 9, "payments": [{"id": 1035}]},
    ],
    "items": [{"id": 2, "title": "Delivery"}],
    "tasks": [{"id": 40, "title": "Call back", "responsibleId": 12, "deadline": "2026-02-01T12:00:00+03:00"}],
}  # fmt: skip


@pytest.fixture
def portal():
    with Sandbox(data=DATA) as portal:
        yield portal


def test_objects_are_there_under_their_ids_and_nothing_else_is(portal, ask):
    def ids(method, key, **params):
        return [row["id"] for row in ask(portal, method, params).json()["result"][key]]

    assert ids("crm.item.list", "items", entityTypeId=2) == [9, 13, 14]
    assert ids("crm.item.list", "items", entityTypeId=3) == [3]
    assert ids("crm.item.list", "items", entityTypeId=4) == [5]
    assert ids("crm.item.list", "items", entityTypeId=128) == [2]
    assert ids("crm.item.list", "items", entityTypeId=1) == []
    assert ids("tasks.task.list", "tasks") == ["40"]
    assert [user["ID"] for user in ask(portal, "user.get").json()["result"]] == ["1", "7", "12"]


def test_fields_are_typed_and_what_follows_from_them_is_set(portal, ask):
    deal = ask(portal, "crm.item.get", {"entityTypeId": 2, "id": 13}).json()["result"]["item"]
    wanted = {
        "title": "Oak door", "stageId": "WON", "stageSemanticId": "S", "closed": "Y", "opportunity": 90.5,
        "closedate": "2026-03-31T03:00:00+03:00", "createdTime": "2026-01-31T18:00:00+03:00", "assignedById": 12,
        "ufCrm_MY_FIELD": "A-17",
    }  # fmt: skip
    assert {name: deal[name] for name in wanted} == wanted
    contact = portal.item(3, 3)
    assert (contact["hasEmail"], contact["fm"][0]["value"]) == ("Y", "b@example.com")
    (task,) = portal.tasks()
    assert (task["responsibleId"], task["deadline"]) == (12, "2026-02-01T12:00:00+03:00")


def test_payments_keep_their_ids_and_new_ones_come_after_them(portal, ask):
    result = {
        payment["id"]: (payment["dealId"], payment["sum"], payment["paid"], payment["currency"])
        for payment in portal.payments()
    }
    assert result == {1035: (9, 0, "N", "USD"), 1036: (13, 90.5, "Y", "EUR"), 1037: (13, 10, "N", "USD")}
    assert portal.add_payment(13) == 1038
    assert (
        ask(portal, "crm.item.add", {"entityTypeId": 2, "fields": {"title": "New"}}).json()["result"]["item"]["id"]
        == 15
    )


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path):
    path = tmp_path / "mine.json"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text(json.dumps({"deals": [{"id": 7, "title": "Дуб"}]}, ensure_ascii=False), encoding=encoding)
        assert Sandbox(data=path).item(2, 7)["title"] == "Дуб"


def test_what_is_made_without_data_of_ones_own_stays_as_it_was():
    portal = Sandbox()
    assert (len(portal.items(2)), len(portal.tasks())) == (30, 20)
    assert Sandbox(data={}).items(2) == []


WRONG = [
    ([], 'is not an object: write {"deals"'),
    ({"deal": []}, "The data has an unknown 'deal': write deals."),
    ({"scopes": ["crm"]}, "The data has an unknown 'scopes': write one of companies, contacts, deals, "),
    ({"payments": [{"dealId": 13}]}, 'Payments stand in their deal or invoice: write {"deals"'),
    ({"deals": [{"payments": [{"sum": math.nan}]}]}, "The data is not JSON: Out of range float"),
    ({"deals": [{"createdTime": datetime(2026, 1, 31)}]}, "The data is not JSON: Object of type datetime"),
    ({"deals": {}}, "deals is not a list"),
    ({"deals": [7]}, r"deals\[0\] is not an object"),
    ({"deals": [{"id": "7"}]}, r"deals\[0\].id is '7': write a whole number above 0"),
    ({"deals": [{"id": 0}]}, r"deals\[0\].id is 0"),
    ({"deals": [{"id": True}]}, r"deals\[0\].id is True"),
    ({"deals": [{"id": 7}, {}, {"id": 7}]}, r"deals\[2\] and deals\[0\] have the same id 7"),
    ({"deals": [{"titel": "x"}]}, r"deals\[0\] has an unknown 'titel': write title"),
    ({"deals": [{"ID": 1}]}, r"deals\[0\] has an unknown 'ID': write id\."),
    ({"deals": [{"STAGE_ID": "WON"}]}, r"deals\[0\] has an unknown 'STAGE_ID': write stageId"),
    ({"deals": [{"updatedBi": 1}]}, r"deals\[0\] has an unknown 'updatedBi': write updatedBy"),
    ({"deals": [{"isNew": "Y"}]}, r"deals\[0\] has an unknown 'isNew'"),
    ({"deals": [{"opportunity": "much"}]}, r"deals\[0\]: .*opportunity"),
    ({"deals": [{"closedate": "soon"}]}, r"deals\[0\].closedate is 'soon', which its type date cannot hold"),
    ({"deals": [{"createdTime": "soon"}]}, r"deals\[0\].createdTime is 'soon', which its type datetime cannot hold"),
    ({"leads": [{"payments": []}]}, r"leads\[0\] has an unknown 'payments'"),
    ({"deals": [{"payments": [{"sum": "1"}]}]}, r"deals\[0\].payments\[0\].sum is '1': write a number"),
    ({"deals": [{"payments": [{"sum": True}]}]}, r"deals\[0\].payments\[0\].sum is True: write a number"),
    ({"deals": [{"payments": [{"paid": "Y"}]}]}, r"deals\[0\].payments\[0\].paid is 'Y': write true or false"),
    ({"deals": [{"payments": [{"amount": 1}]}]}, r"deals\[0\].payments\[0\] has an unknown 'amount'"),
    ({"deals": [{"payments": [{"paySystemId": 5}]}]}, r"payments\[0\].paySystemId is 5: choose one of 1, 6, 10, 110"),
    (
        {"deals": [{"payments": [{"id": 3}]}, {"payments": [{"id": 3}]}]},
        r"deals\[1\].payments\[0\] and deals\[0\].payments\[0\] have the same id 3",
    ),
    ({"contacts": [{"fm": [{"typeId": "TEL"}]}]}, r"contacts\[0\].fm\[0\].typeId is 'TEL': choose one of PHONE"),
    ({"contacts": [{"fm": [{"type": "PHONE"}]}]}, r"contacts\[0\].fm\[0\] has an unknown 'type': write typeId"),
    ({"tasks": [{"title": 5}]}, r"tasks\[0\].title is 5: write a text"),
    ({"tasks": [{"deadline": "soon"}]}, r"tasks\[0\].deadline is 'soon', which is not a time"),
    ({"users": [{"name": "Ada"}]}, r"users\[0\] needs an id other than 1"),
    ({"users": [{"id": 7}]}, r"users\[0\] needs an id other than 1"),
    ({"users": [{"id": 8, "rights": "read"}]}, r"users\[0\].rights is 'read': write a list"),
    ({"users": [{"id": 8, "rights": [["all"]]}]}, r"users\[0\].rights is .*: write a list of some of read, change"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "problem"), WRONG)
def test_wrong_data_is_refused_with_where_it_is_wrong(data, problem):
    with pytest.raises(ValueError, match=problem):
        Sandbox(data=data)


def test_the_printed_example_is_a_portal():
    printed = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    example = printed.partition("### Objects of your own")[2].partition("```json")[2].partition("```")[0]
    portal = Sandbox(data=json.loads(example))
    assert [(payment["id"], payment["dealId"], payment["paid"]) for payment in portal.payments()] == [
        (1035, 13, "Y"),
        (1036, 13, "N"),
    ]


def test_a_user_calls_with_the_rights_of_the_data_and_with_those_given_later(ask):
    data = {
        "users": [{"id": 12, "rights": ["read", "change"], "seesOnlyOwn": True}],
        "deals": [{"id": 1, "assignedById": 12, "payments": [{"id": 5}]}, {"id": 2}],
    }
    with Sandbox(data=data) as portal:
        user = portal.user(12)

        def result(method, **params):
            return ask(portal, method, params, user).json()

        assert [row["id"] for row in result("crm.item.list", entityTypeId=2)["result"]["items"]] == [1]
        assert (
            result("crm.item.update", entityTypeId=2, id=1, fields={"title": "New"})["result"]["item"]["title"] == "New"
        )
        assert result("crm.item.payment.delete", id=5)["error"] == "ACCESS_DENIED"
        user.rights.add("change_orders")
        assert result("crm.item.payment.delete", id=5)["result"] is True
        user.sees_only_own = False
        assert [row["id"] for row in result("crm.item.list", entityTypeId=2)["result"]["items"]] == [1, 2]
        with pytest.raises(LookupError, match="no user 9: there are 1, 7, 12"):
            portal.user(9)


def test_users_have_the_same_codes_for_the_same_seed():
    data = {"users": [{"id": 12}]}
    first, second, other = (Sandbox(data=data, seed=seed).user(12).code for seed in (3, 3, 4))
    assert first == second != other


def test_the_command_refuses_wrong_data_in_one_sentence(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"deals": [{"titel": "Oak door"}]}')
    command = [sys.executable, "-m", "airflow_provider_bitrix24.sandbox", "--data", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The sandbox cannot start: deals[0] has an unknown 'titel': write title.\n"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"{deals: []}", "is not JSON: "),
        (b"[" * 100_000, "is not JSON: "),
        (b'{"deals": [{"id": 1}], "deals": []}', "is not JSON: the name 'deals' stands twice in one object."),
        ('{"deals": [{"title": "Дверь"}]}'.encode("cp1251"), "is in another charset than UTF-8: save it in UTF-8."),
    ],
    ids=["no JSON", "too deep", "a name twice", "another charset"],
)
def test_a_file_that_cannot_be_read_as_json_is_named(tmp_path, written, said):
    path = tmp_path / "mine.json"
    path.write_bytes(written)
    with pytest.raises(ValueError, match=re.escape(f"mine.json {said}")):
        Sandbox(data=path)


@pytest.mark.parametrize("generated", ["deals", "tasks", "employees"])
def test_data_and_generated_objects_exclude_each_other(generated):
    with pytest.raises(ValueError, match="leave deals, tasks and employees out"):
        Sandbox(data={}, **{generated: 5})
