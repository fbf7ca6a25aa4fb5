"""Keys of upserts: what is looked up is what is stored, so that a second run adds nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24Operator
from tests.operators.context import context
from tests.rest.clients import client_of

ADD = "crm.item.add"
FORMS = "the form of letters or zeros behind a point"


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
    note = f"item {item_id} has the key originId '001xA', which differs only in case, blanks, {FORMS}"
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
    note = f"item {first} has the key originId 'a b', which differs only in case, blanks, {FORMS}"
    assert [line.get("message") for line in summary["outcomes"]] == [None, note, note]
    assert (summary["created"], summary["noted"]) == (3, 2)


#: One number as databases, files and data frames give it.
FIVES = [Decimal("5.00"), 5.0, 5, np.float64(5), np.int64(5), Decimal("5"), Decimal("0.5E1"), "5"]
FRACTIONS = [Decimal("19.90"), 19.9, Decimal("19.9"), np.float64(19.9), Decimal("19.900"), "19.9"]


@pytest.mark.parametrize(("numbers", "stored"), [(FIVES, "5"), (FRACTIONS, "19.9")], ids=["whole", "fraction"])
@pytest.mark.parametrize(
    ("mapping", "before"),
    [(None, ""), ({"originId": "$originId", "title": "$title"}, ""), ({"originId": "K-$originId"}, "K-")],
    ids=["no mapping", "a column", "in a text"],
)
def test_a_number_in_a_field_of_text_is_one_key_whatever_carries_it(
    numbers, stored, mapping, before, portal, connection
):
    rows = [{"originId": number, "title": f"Firm {place}"} for place, number in enumerate(numbers)]
    given = {} if mapping is None else {"mapping": {**mapping, "title": "$title"}}
    summary = upsert(rows, **given)
    assert (summary["created"], summary["updated"]) == (1, len(rows) - 1)
    assert keys(portal) == [f"{before}{stored}"]
    for row in rows:
        assert upsert([row], **given)["updated"] == 1


@pytest.mark.parametrize(
    ("kind", "key", "numbers"),
    [
        ("company", "revenue", [*FIVES, "5.00", " 5.0 ", "0.5e1"]),
        ("company", "revenue", [*FRACTIONS, "19.90", "+19.9"]),
        ("company", "revenue", [Decimal("-12.50"), -12.5, "-12.5", "-12.500"]),
        ("deal", "UF_CRM_MY_NUMBER", [*FIVES, "5.00", "5."]),
    ],
)
def test_in_a_field_of_numbers_its_text_is_the_same_key_too(kind, key, numbers, portal, connection):
    if key.startswith("UF"):
        with client_of(portal) as client:
            fields = {"FIELD_NAME": key, "USER_TYPE_ID": "integer"}
            client.call("crm.deal.userfield.add", {"fields": fields})
            client.described("crm.item.fields", {"entityTypeId": 2}, fresh=True)
    rows = [{key: number, "title": f"Firm {place}"} for place, number in enumerate(numbers)]
    summary = upsert(rows, entity_type_id=kind, key=key)
    assert (summary["created"], summary["updated"]) == (1, len(rows) - 1)
    assert upsert(rows[:1], entity_type_id=kind, key=key)["created"] == 0


def test_a_single_upsert_takes_a_number_as_the_same_key_too(portal, connection):
    for number in FIVES:
        Bitrix24UpsertItemOperator(
            task_id="task", entity_type_id=4, key="ORIGIN_ID", fields={"ORIGIN_ID": number, "title": "Oak"}
        ).execute(context())
    assert keys(portal) == ["5"]


@pytest.mark.parametrize("earlier", [True, False], ids=["found", "of the same step"])
def test_a_text_with_zeros_is_another_key_in_a_field_of_text_and_that_is_said(earlier, portal, connection):
    """The portal stores and compares it as text; a number of another source would not be found under it."""
    rows = [{"originId": 5, "title": "number"}, {"originId": "5.00", "title": "text"}]
    if earlier:
        upsert(rows[:1])
    summary = upsert(rows[1:] if earlier else rows)
    first = next(item["id"] for item in portal.items(4) if item.get("originId") == "5")
    assert keys(portal) == ["5", "5.00"]
    assert summary["noted"] == 1
    assert (
        summary["outcomes"][-1]["message"]
        == f"item {first} has the key originId '5', which differs only in case, blanks, {FORMS}"
    )


@pytest.mark.parametrize(
    ("number", "key"), [(Decimal("5.00"), "5"), (Decimal("19.90"), "19.9"), (19.9, "19.9"), ("Cafe\u0301", "Caf\u00e9")]
)
def test_a_row_that_fails_is_reported_under_the_same_key(number, key, portal, connection):
    summary = upsert([{"originId": number, "title": "Oak", "noSuchField": 1}], max_failures=None)
    assert summary["outcomes"][0]["key"] == {"originId": key}


@pytest.mark.parametrize(
    "pair",
    [
        ("4503599627370496.1", "4503599627370496.2"),
        ("123456789.123456789", "123456789.1234567891"),
        ("0.12345678901234567890", "0.12345678901234567891"),
        ("-9007199254740993.5", "-9007199254740993.25"),
    ],
)
@pytest.mark.parametrize("source", ["lines", "text"])
def test_numbers_of_json_keep_their_digits(pair, source, tmp_path, portal, connection):
    rows = [f'{{"originId": {number}, "title": "Oak", "revenue": 10.25}}' for number in pair]
    (tmp_path / "firms.jsonl").write_text("\n".join(rows))
    given = str(tmp_path / "firms.jsonl") if source == "lines" else f"[{', '.join(rows)}]"
    assert upsert(given)["created"] == 2
    assert keys(portal) == [number.rstrip("0") if "." in number else number for number in pair]
    assert upsert(given)["updated"] == 2


def test_a_raw_write_sends_all_digits_of_numbers_of_json(tmp_path, portal, connection):
    fields = '{"TITLE": 4503599627370496.1, "REVENUE": 123456789.25, "PHONE": [{"VALUE": 7916123000123456.25}]}'
    (tmp_path / "firms.jsonl").write_text(f'{{"fields": {fields}}}')
    rows = str(tmp_path / "firms.jsonl")
    Bitrix24BulkWriteOperator(task_id="task", method="crm.company.add", rows=rows).execute(context())
    Bitrix24Operator(task_id="one", method="crm.company.add", method_params=f'{{"fields": {fields}}}').execute(
        context()
    )
    for item in portal.items(4)[-2:]:
        assert (item["title"], item["revenue"]) == ("4503599627370496.1", 123456789.25)
        assert item["fm"][0]["value"] == "7916123000123456.25"


@pytest.mark.parametrize("number", ["1e400", "-1e999999999", "1e-400", "0.5e-999"])
def test_a_number_of_json_that_no_float_holds_is_refused_with_its_line(number, tmp_path, portal, connection):
    (tmp_path / "firms.jsonl").write_text(f'{{"originId": 1}}\n{{"originId": {number}}}\n')
    message = failure_of(str(tmp_path / "firms.jsonl"), mapping={"originId": "$originId", "title": "Oak"})
    assert "line 2 of firms.jsonl" in message
    assert "is beyond what a field holds: write it as text" in message


@pytest.mark.parametrize("text", ["2026-11-30", "K-{id}", "$$id", 7])
def test_a_mapping_that_gives_every_row_the_same_key_is_refused(text, portal, connection):
    rows = [{"n": number, "t": f"Firm {number}"} for number in range(3)]
    upsert = Bitrix24UpsertItemsOperator(
        task_id="task", entity_type_id="company", key="originId", rows=rows, mapping={"ORIGIN_ID": text, "title": "$t"}
    )
    with pytest.raises(AirflowFailException, match="mapping gives the key originId the same value in every row"):
        upsert.execute({})
    assert portal.count("crm.item.add") == 0


def test_a_key_of_several_parts_may_have_one_that_is_the_same(portal, connection):
    rows = [{"n": number} for number in range(3)]
    mapping = {"originId": "K-$n", "originatorId": "shop"}
    upsert = Bitrix24UpsertItemsOperator(
        task_id="task", entity_type_id="company", key=["originId", "originatorId"], rows=rows, mapping=mapping
    )
    assert upsert.execute({})["created"] == 3
