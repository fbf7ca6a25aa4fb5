"""Columns of text beside codes and ids: the same from both generations, null where there is no text, few requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.exports import part_files
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.transfers.databases import VARIABLE, sqlite_target
from tests.transfers.lists import calls
from tests.transfers.test_to_object_storage import folder_of, load, rows_of
from tests.transfers.test_to_sql import load as load_table
from tests.transfers.test_to_sql import run_of

STATUSES, FUNNELS, USERS, DEPARTMENTS = "crm.status.list", "crm.category.list", "user.get", "department.get"
COLOR, COLORS = "uf_crm_1700000004", "uf_crm_1700000005"


@pytest.fixture
def portal(monkeypatch):
    """Three deals: in the first funnel, in another one, and with next to nothing."""
    with Sandbox(deals=0, employees=6) as portal:
        deal = {"typeId": "SERVICES", "sourceId": "WEB", "assignedById": 11, "observers": [1, 12]}
        portal.add_deals(1, **deal, stageId="WON", categoryId=0, ufCrm_1700000004=46, ufCrm_1700000005=[47, 45])
        portal.add_deals(1, **deal, stageId="C9:NEW", categoryId=9)
        portal.add_deals(1, typeId="", sourceId=None, observers=[])
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(rate=100_000, burst=100_000))
        portal.reset_calls()
        yield portal


@pytest.fixture
def sqlite(tmp_path, monkeypatch):
    with sqlite_target(tmp_path) as target:
        monkeypatch.setenv(VARIABLE, target.connection_json)
        yield target


def name_of(portal: Sandbox, user_id: int) -> str:
    return portal.user(user_id).name


def labels_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.endswith("_label")}


# Which columns, and what they say


def test_stages_funnels_statuses_enumerations_and_users_are_put_into_words(portal, tmp_path):
    done = load(tmp_path, labels=True)
    first, second, third = rows_of(done)
    people = {name: name_of(portal, first[name.removesuffix("_label")]) for name in labels_of(first) if "_by" in name}
    assert labels_of(first) == {
        "type_id_label": "Services", "category_id_label": "General", "stage_id_label": "Deal successful",
        "source_id_label": "Website", f"{COLOR}_label": "Green", f"{COLORS}_label": '["Blue","Red"]',
        "observers_label": json.dumps([name_of(portal, 1), name_of(portal, 12)], separators=(",", ":")), **people,
    }  # fmt: skip
    assert people["assigned_by_id_label"] == name_of(portal, 11)
    assert (second["stage_id"], second["stage_id_label"]) == ("C9:NEW", "New")
    assert (second["category_id_label"], second[f"{COLOR}_label"], second[f"{COLORS}_label"]) == (
        "Wholesale",
        None,
        None,
    )
    assert [third[f"{name}_label"] for name in ("type_id", "source_id", "observers")] == [None] * 3
    assert list(first)[-1] == "_bad"
    assert done["unlabelled"] == {}
    assert done["labels"]["stage_id_label"] == "stage_id"


def test_both_generations_have_the_same_labels(portal, tmp_path):
    new, old = rows_of(load(tmp_path / "new", labels=True)), rows_of(load(tmp_path / "old", method="crm.deal.list",
                                                                        labels=True))  # fmt: skip
    for row in (*new, *old):
        # The old list does not tell them.
        del row["contact_ids"], row["observers"], row["observers_label"]
    assert new == old


@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "csv"])
def test_several_labels_stand_as_several_values_do(file_format, portal, tmp_path):
    first = rows_of(load(tmp_path, labels=[COLORS], select=[COLORS], file_format=file_format))[0]
    assert labels_of(first) == {f"{COLORS}_label": ["Blue", "Red"] if file_format == "jsonl" else '["Blue","Red"]'}


@pytest.mark.parametrize(
    ("kind", "fields", "labels"),
    [
        ("lead", {"stageId": "IN_PROCESS", "sourceId": "CALL"}, {"stage_id": "In process", "source_id": "Call"}),
        (
            "company",
            {"industry": "IT", "typeId": "PARTNER"},
            {"industry": "Information technology", "type_id": "Partner"},
        ),
        ("contact", {"honorific": "HNR_EN_1"}, {"honorific": "Mr."}),
        ("quote", {"stageId": "SENT"}, {"stage_id": "Sent to client"}),
        ("invoice", {}, {"category_id": "General"}),
        (128, {}, {"category_id": "General"}),
    ],
)
def test_items_of_other_kinds_have_theirs(kind, fields, labels, portal, tmp_path):
    number = {"lead": 1, "contact": 3, "company": 4, "quote": 7, "invoice": 31}.get(kind, kind)
    portal.add_items(number, 1, assignedById=12, **fields)
    row = rows_of(load(tmp_path, entity_type_id=kind, labels=True))[-1]
    assert {name: row[f"{name}_label"] for name in labels} == labels
    assert row["assigned_by_id_label"] == name_of(portal, 12)
    assert "category_id_label" not in row or number in (31, 128)
    if number in (31, 128):
        stages = {each["STATUS_ID"]: each["NAME"] for each in Bitrix24Hook().call(STATUSES)}
        assert row["stage_id_label"] == stages[row["stage_id"]]


def test_lists_that_the_documentation_describes_have_theirs(portal, tmp_path):
    hook = Bitrix24Hook()
    task = {"TITLE": "Call", "RESPONSIBLE_ID": 12, "CREATED_BY": 1, "ACCOMPLICES": [11, 13]}
    hook.call("tasks.task.add", {"fields": task})
    row = rows_of(load(tmp_path / "tasks", method="tasks.task.list", labels=["responsibleId", "ACCOMPLICES"]))[-1]
    assert row["responsible_id_label"] == name_of(portal, 12)
    assert json.loads(row["accomplices_label"]) == [name_of(portal, 11), name_of(portal, 13)]
    assert "created_by_label" not in row
    users = rows_of(load(tmp_path / "users", method=USERS, labels=True))
    assert {row["uf_department_label"] for row in users} == {'["Company"]'}
    hook.call("crm.item.update", {"entityTypeId": 2, "id": 2, "fields": {"stageId": "C9:WON"}})
    params = {"entityTypeId": 2}
    history = rows_of(load(tmp_path / "h", method="crm.stagehistory.list", method_params=params, labels=True))
    last = history[-1]
    assert (last["stage_id_label"], last["category_id_label"]) == ("Deal successful", "Wholesale")


def test_users_fields_of_employees_and_directories_have_theirs(portal, tmp_path):
    hook = Bitrix24Hook()
    for name, kind, settings in (("BOSS", "employee", {}), ("WHENCE", "crm_status", {"ENTITY_TYPE": "SOURCE"})):
        field = {"FIELD_NAME": name, "USER_TYPE_ID": kind, "SETTINGS": settings, "MULTIPLE": "N"}
        hook.call("crm.deal.userfield.add", {"fields": field})
    fields = {"UF_CRM_BOSS": 13, "UF_CRM_WHENCE": "PARTNER"}
    hook.call("crm.deal.update", {"id": 1, "fields": fields})
    first = rows_of(load(tmp_path, select=["UF_CRM_BOSS", "UF_CRM_WHENCE"], labels=True))[0]
    assert labels_of(first) == {"uf_crm_boss_label": name_of(portal, 13), "uf_crm_whence_label": "Existing client"}


# What has no label


def test_what_the_portal_does_not_have_is_null_and_counted(portal, tmp_path):
    hook = Bitrix24Hook()
    (source,) = [
        row["ID"] for row in hook.call(STATUSES) if (row["ENTITY_ID"], row["STATUS_ID"]) == ("SOURCE", "STORE")
    ]
    hook.call("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"sourceId": "STORE"}})
    hook.call("crm.status.delete", {"id": source})
    shown = {"11": {"ID": "11", "NAME": " Olga ", "LAST_NAME": ""}, "1": {"ID": "1", "NAME": "", "LAST_NAME": None}}
    portal.answers[USERS] = lambda params: [shown[str(each)] for each in params["FILTER"]["@ID"] if str(each) in shown]
    names = ["sourceId", "assignedById", "observers"]
    done = load(tmp_path, select=names, labels=True)
    rows = [labels_of(row) for row in rows_of(done)]
    assert rows[0] == {"source_id_label": None, "assigned_by_id_label": "Olga", "observers_label": "[null,null]"}
    assert rows[1]["source_id_label"] == "Website"
    # Observers 1 and 12 of two deals; who is responsible for the third.
    assert done["unlabelled"] == {"source_id_label": 1, "assigned_by_id_label": 1, "observers_label": 4}
    assert json.loads((folder_of(done) / "_manifest.json").read_text())["unlabelled"] == done["unlabelled"]


def test_a_code_with_two_texts_has_none(portal, tmp_path):
    row = {"ID": "1", "ENTITY_ID": "DEAL_STAGE", "STATUS_ID": "WON", "NAME": "Won"}
    other = {**row, "ENTITY_ID": "DEAL_STAGE_9"}
    portal.answers[STATUSES] = [
        [row, {**other, "ID": "2", "NAME": "Won 9"}, {**other, "ID": "3", "STATUS_ID": "C9:NEW", "NAME": "New"}]
    ]
    rows = rows_of(load(tmp_path, select=["stageId"], labels=True))
    assert [row["stage_id_label"] for row in rows[:2]] == [None, "New"]


def test_users_that_were_not_asked_for_are_an_error(portal, tmp_path):
    portal.answers[USERS] = [[{"ID": "77", "NAME": "Eve"}]]
    with pytest.raises(AirflowFailException, match="users that were not asked for"):
        load(tmp_path, select=["assignedById"], labels=True)


# Requests


@pytest.mark.parametrize(
    ("arguments", "requests"),
    [
        ({"labels": True}, {STATUSES: 1, FUNNELS: 1, USERS: 1}),
        ({"labels": True, "select": ["stageId", "typeId"]}, {STATUSES: 1}),
        ({"labels": True, "select": ["title", COLOR]}, {}),
        ({"labels": ["assignedById"]}, {USERS: 1}),
        ({"labels": ["CATEGORY_ID", COLORS]}, {FUNNELS: 1}),
        ({"labels": True, "item_filter": {"title": "none of them"}}, {}),
        ({"labels": False}, {}),
    ],
    ids=str,
)
def test_only_directories_that_are_needed_are_read(arguments, requests, portal, tmp_path):
    before = len(load(tmp_path / "without", **{**arguments, "labels": False})) and len(portal.calls)
    portal.reset_calls()
    load(tmp_path / "with", **arguments)
    made = {name: calls(portal, name) for name in (STATUSES, FUNNELS, USERS, DEPARTMENTS) if calls(portal, name)}
    assert made == requests
    assert len(portal.calls) == before + sum(requests.values())


def test_users_are_asked_for_fifty_at_a_time_and_once(portal, tmp_path, monkeypatch):
    known = list(range(1, 131))
    portal.answers[USERS] = lambda params: [{"ID": str(each), "NAME": f"U{each}"} for each in params["FILTER"]["@ID"]]
    for user_id in known * 2:
        portal.add_deals(1, assignedById=user_id)
    monkeypatch.setattr(part_files, "_ROWS_OF_THE_FIRST", 200)
    monkeypatch.setattr(part_files, "_ROWS_OF_A_BATCH", 50)
    portal.reset_calls()
    rows = rows_of(load(tmp_path, select=["assignedById"], labels=True))
    assert {row["assigned_by_id_label"] for row in rows} == {f"U{each}" for each in known}
    assert calls(portal, USERS) == 3
    assert sum(command.method == USERS for call in portal.calls for command in call.commands) == 3
    assert sum(any(command.method == USERS for command in call.commands) for call in portal.calls) == 1


# Names, arguments, refusals


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["title"], "labels names 'title', which has no labels: columns with labels: type_id, "),
        (["stageld"], "labels names 'stageld', which is not a column of crm.deal here"),
        (
            ["categoryId"],
            "labels names 'categoryId', which is not a column of crm.deal here: columns with labels: stage_id",
        ),
        ("stageId", "labels must be True or False, not 'stageId'"),
        (1, "labels must be True or False, not 1"),
        ([], "labels is empty"),
    ],
)
def test_a_name_without_labels_is_refused_before_a_row_is_read(labels, message, portal, tmp_path):
    select = {"select": ["stageId", "title"]} if labels == ["categoryId"] else {}
    with pytest.raises(AirflowFailException, match=message):
        load(tmp_path, labels=labels, **select)
    assert calls(portal, "crm.item.list") == 0


def test_a_field_with_the_name_of_a_label_keeps_it(portal, tmp_path, all_output):
    hook = Bitrix24Hook()
    field = {"FIELD_NAME": "1700000004_LABEL", "USER_TYPE_ID": "string"}
    hook.call("crm.deal.userfield.add", {"fields": field})
    hook.call("crm.deal.update", {"id": 1, "fields": {"UF_CRM_1700000004_LABEL": "mine"}})
    done = load(tmp_path, labels=[COLOR])
    (name,) = done["labels"]
    first = rows_of(done)[0]
    assert (first[f"{COLOR}_label"], first[name]) == ("mine", "Green")
    assert name.startswith(f"{COLOR}_label_")
    assert all_output.places_of(f"Labels of {COLOR} are in {name}")


@pytest.mark.parametrize(
    ("scope", "method", "arguments", "column"),
    [
        ("user", "crm.deal.list", {"select": ["assignedById", "stageId"]}, "assigned_by_id_label"),
        ("department", USERS, {}, "uf_department_label"),
    ],
)
def test_a_directory_that_is_refused_fails_by_name(scope, method, arguments, column, portal, tmp_path):
    portal.scopes = portal.scopes - {scope, "user_brief", "user_basic"} | ({"user"} if scope != "user" else set())
    with pytest.raises(AirflowFailException) as caught:
        load(tmp_path, method=method, labels=True, **arguments)
    text = str(caught.value)
    assert scope in text
    assert f"; or leave out {column}, e.g. with labels=" in text
    assert not list(Path(tmp_path).rglob("_SUCCESS"))
    if scope == "user":
        rows = rows_of(load(tmp_path, method=method, labels=["stage_id"], **arguments))
        assert labels_of(rows[0]) == {"stage_id_label": "Deal successful"}


def test_rows_before_a_directory_that_fails_for_a_time_are_kept(portal, tmp_path, monkeypatch):
    portal.add_deals(300, assignedById=11)
    portal.add_deals(300, assignedById=13)
    monkeypatch.setattr(part_files, "_ROWS_OF_THE_FIRST", 200)
    monkeypatch.setattr(part_files, "_ROWS_OF_A_BATCH", 100)
    # The batch of rows in which user 13 comes first.
    portal.fault("error", USERS, code="INTERNAL_SERVER_ERROR", times=None, after=1)
    run = context(retries=1)
    with pytest.raises(Bitrix24Error):
        load(tmp_path, select=["assignedById"], labels=True, run=run)
    portal.clear_faults()
    portal.reset_calls()
    done = load(tmp_path, select=["assignedById"], labels=True, run=context(retries=1, try_number=2))
    rows = rows_of(done)
    assert [row["id"] for row in rows] == list(range(1, 604))
    assert done["parts"] == 2
    assert {row["assigned_by_id_label"] for row in rows[-300:]} == {name_of(portal, 13)}


def test_a_list_whose_columns_need_no_labels_says_so(portal, tmp_path, all_output):
    done = load(tmp_path, method="crm.status.list", labels=True)
    assert "labels" not in done
    assert all_output.places_of("No column of crm.status has labels")


# Tables


def test_a_table_has_its_labels_from_the_first_load_also_without_rows(portal, target):
    none = load_table(1, labels=True, item_filter={"title": "none of them"}, deleted="keep")
    assert none["rows"] == 0
    text = target.columns("deals")["stage_id_label"]
    assert text == target.columns("deals")["title"] == target.columns("deals")[f"{COLORS}_label"]
    done = load_table(2, labels=True, window="all")
    assert (done["new_columns"], done["changed_columns"]) == ([], {})
    columns = f"stage_id_label, category_id_label, {COLOR}_label, {COLORS}_label"
    assert target.rows("deals", columns)[:2] == [
        ("Deal successful", "General", "Green", '["Blue","Red"]'), ("New", "Wholesale", None, None)
    ]  # fmt: skip
    assert done["unlabelled"] == {}
    portal.answers[USERS] = [[]]
    assert load_table(3, labels=["assignedById"], window="all")["unlabelled"] == {"assigned_by_id_label": 3}
    assert target.rows("deals", "assigned_by_id_label, stage_id_label")[0] == (None, "Deal successful")


@pytest.mark.parametrize("rule", ["add", "ignore", "fail"])
def test_labels_that_are_asked_for_later_are_added_whatever_is_done_with_new_fields(rule, portal, sqlite):
    load_table(1, select=["stageId"])
    done = load_table(2, select=["stageId"], labels=True, window="all", on_new_field=rule)
    assert done["new_columns"] == ["stage_id_label"]
    assert sqlite.rows("deals", "stage_id_label")[0] == ("Deal successful",)


def test_a_field_that_comes_later_comes_with_its_label_or_stays_away_with_it(portal, sqlite):
    load_table(1, labels=True)
    fields = {"FIELD_NAME": "SIZE", "USER_TYPE_ID": "enumeration", "LIST": [{"VALUE": "Large"}]}
    Bitrix24Hook().call("crm.deal.userfield.add", {"fields": fields})
    ignored = load_table(2, labels=True, window="all", on_new_field="ignore")
    assert ignored["ignored_columns"] == ["uf_crm_size", "uf_crm_size_label"]
    done = load_table(3, labels=True, window="all")
    assert done["new_columns"] == ["uf_crm_size", "uf_crm_size_label"]
    assert sqlite.columns("deals")["uf_crm_size_label"] == "TEXT"


def test_a_column_of_ones_own_is_never_taken_for_labels(portal, sqlite):
    load_table(1, select=["stageId"])
    sqlite.execute("ALTER TABLE deals ADD COLUMN stage_id_label TEXT DEFAULT 'mine'")
    for run in (2, 3):
        done = load_table(run, select=["stageId"], labels=True, window="all")
        (name,) = done["labels"]
        assert sqlite.rows("deals", f"stage_id_label, {name}")[0] == ("mine", "Deal successful")
    assert done["new_columns"] == []


def test_a_field_never_comes_to_stand_among_labels(portal, sqlite):
    load_table(1, labels=[COLOR])
    field = {"FIELD_NAME": "1700000004_LABEL", "USER_TYPE_ID": "string"}
    Bitrix24Hook().call("crm.deal.userfield.add", {"fields": field})
    message = f"the field {COLOR}_label is new, and the column {COLOR}_label of deals holds labels of {COLOR}"
    with pytest.raises(AirflowFailException, match=message):
        load_table(2, labels=[COLOR], window="all")
    sqlite.execute(f"ALTER TABLE deals RENAME COLUMN {COLOR}_label TO old_label")
    done = load_table(run_of(3), labels=[COLOR], window="all")
    assert sorted(done["new_columns"]) == sorted([f"{COLOR}_label", *done["labels"]])
    again = load_table(run_of(4), labels=[COLOR], window="all")
    assert (again["new_columns"], again["labels"]) == ([], done["labels"])
