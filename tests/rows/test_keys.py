"""Keys of upserts: what is looked up is what is stored, so that a second run adds nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from tests.operators.context import context

ADD = "crm.item.add"


def upsert(rows: Any, **arguments: Any) -> Any:
    arguments = {"entity_type_id": 4, "key": "originId", **arguments}
    return Bitrix24UpsertItemsOperator(task_id="task", rows=rows, **arguments).execute(context())


def failure_of(rows: Any, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        upsert(rows, **arguments)
    return str(caught.value)


def keys(portal: Any) -> list[str]:
    return [item["originId"] for item in portal.items(4) if item.get("originId")]


@pytest.mark.parametrize(
    ("spelling", "stored"),
    [
        (" 5", "5"), ("6 ", "6"), ("8\r", "8"), ("\u00a09\u00a0", "9"), ("\t10\n", "10"), ("\ufeff11", "11"),
        ("12\u200b", "12"), ("Cafe\u0301", "Caf\u00e9"), ("  K  1 ", "K  1"),
    ],
)  # fmt: skip
def test_a_key_is_stored_as_it_is_looked_up(spelling, stored, portal, connection):
    row = {"originId": spelling, "title": "Oak"}
    assert upsert([row])["created"] == 1
    assert keys(portal) == [stored]
    assert upsert([row])["updated"] == 1
    assert upsert([{**row, "originId": stored}])["updated"] == 1
    assert keys(portal) == [stored]


def test_a_single_upsert_stores_it_so_too(portal, connection):
    for _ in range(2):
        Bitrix24UpsertItemOperator(
            task_id="task", entity_type_id=4, key="originId", fields={"originId": " 5\r", "title": "Oak"}
        ).execute(context())
    assert keys(portal) == ["5"]


def test_keys_of_a_windows_file_are_found_again(portal, connection, tmp_path):
    (tmp_path / "firms.csv").write_bytes(b'originId,title\r\n" 1",Oak\r\n"2 ",Elm\r\n')
    for _ in range(2):
        upsert(str(tmp_path / "firms.csv"))
    assert keys(portal) == ["1", "2"]


def test_a_key_that_was_stored_with_blanks_by_others_is_the_same_key(portal, connection):
    """The portal's own comparison leaves blanks at the end out."""
    (item_id,) = portal.add_items(4, 1, originId="5", title="old")
    summary = upsert([{"originId": "5 ", "title": "new"}])
    assert summary["outcomes"] == [{"row": 0, "outcome": "updated", "id": item_id}]


def test_two_rows_of_one_key_in_different_spellings_are_one_item(portal, connection):
    rows = [{"originId": spelling, "title": spelling} for spelling in ("5", " 5", "5\u00a0")]
    assert upsert(rows)["created"] == 1
    assert keys(portal) == ["5"]


def test_a_part_of_several_is_stored_so_too(portal, connection):
    rows = [{"originatorId": " erp", "originId": "7\r", "title": "Oak"}]
    for _ in range(2):
        upsert(rows, key=["originatorId", "originId"])
    assert [item["originatorId"] for item in portal.items(4) if item.get("originId") == "7"] == ["erp"]


@pytest.mark.parametrize("other", ["001xa", "001XA"])
def test_a_key_that_differs_only_in_case_is_another_one_and_that_is_said(other, portal, connection, all_output):
    (item_id,) = portal.add_items(4, 1, originId="001xA", title="first")
    summary = upsert([{"originId": other, "title": "second"}])
    note = f"item {item_id} has the key originId '001xA', which differs only in case, blanks or the form of letters"
    assert (summary["created"], summary["noted"]) == (1, 1)
    assert summary["outcomes"][0]["message"] == note
    assert note in f"{all_output.printed}{all_output.records}"
    assert "noted" not in upsert([{"originId": "else", "title": "third"}])


@pytest.mark.parametrize("key", ["K" * 256, "Ж" * 300])
def test_a_key_longer_than_its_column_is_refused(key, portal, connection):
    failure = failure_of([{"originId": key, "title": "Oak"}])
    assert f"the key originId has {len(key)} characters, and the portal would store 255 of them" in failure
    assert keys(portal) == []
    assert upsert([{"originId": "K" * 255, "title": "Oak"}])["created"] == 1


def test_a_user_field_takes_a_longer_key(portal, connection):
    rows = [{"UF_CRM_MY_FIELD": "K" * 300, "title": "Oak"}]
    assert upsert(rows, entity_type_id=2, key="UF_CRM_MY_FIELD")["created"] == 1
    assert upsert(rows, entity_type_id=2, key="UF_CRM_MY_FIELD")["updated"] == 1


@pytest.mark.parametrize(
    ("key", "sent", "stored"),
    [
        ("revenue", "77.12345", 77.12), ("revenue", 1 / 3, 0.33), ("originId", "K-12345", "K-123"),
        ("originId", "K-1", "k-1"),
    ],
)  # fmt: skip
def test_a_key_that_was_stored_otherwise_fails_its_row_which_is_there(key, sent, stored, portal, connection):
    answer = {"result": {"c0": {"item": {"id": 71, key: stored}}}}
    parts: dict[str, Any] = {f"result_{name}": [] for name in ("error", "total", "next", "time")}
    portal.fault("body", "batch", after=1, body=json.dumps({"result": {**answer, **parts}}).encode())
    failure = failure_of([{key: sent, "title": "Oak"}], key=key)
    assert "item 71 was added, but the portal has stored its key" in failure
    assert "the next upsert would not find it" in failure


def test_keys_of_one_step_that_differ_only_in_blanks_are_two_items_and_that_is_said(portal, connection):
    rows = [
        {"originId": "a b", "title": "1"},
        {"originId": "a\u00a0b", "title": "2"},
        {"originId": "A  B", "title": "3"},
    ]
    summary = Bitrix24UpsertItemsOperator(task_id="task", entity_type_id="company", key="originId", rows=rows).execute(
        context()
    )
    first = summary["outcomes"][0]["id"]
    note = f"item {first} has the key originId 'a b', which differs only in case, blanks or the form of letters"
    assert [line.get("message") for line in summary["outcomes"]] == [None, note, note]
    assert (summary["created"], summary["noted"]) == (3, 2)
