"""Fields of CRM items: names in every spelling, and values as each type wants them. No portal is asked here."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pendulum
import pytest

from airflow_provider_bitrix24.crm import values
from airflow_provider_bitrix24.crm.fields import ItemFields
from airflow_provider_bitrix24.crm.values import ItemField
from airflow_provider_bitrix24.exceptions import ConfigurationError

MOSCOW = datetime.timezone(datetime.timedelta(hours=3))
NEW_YORK = datetime.timezone(datetime.timedelta(hours=-5))
COLOURS = {"45": "Red", "46": "Green", "47": "Blue"}


def described(upper_name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    flags = {"isReadOnly": False, "isImmutable": False, "isMultiple": False, "isDynamic": upper_name.startswith("UF_")}
    return {"type": kind, **flags, "title": upper_name.capitalize(), "upperName": upper_name, **more}


FIELDS = {
    "id": described("ID", "integer", isReadOnly=True),
    "title": described("TITLE"),
    "xmlId": described("XML_ID"),
    "assignedById": described("ASSIGNED_BY_ID", "user"),
    "createdTime": described("CREATED_TIME", "datetime", isReadOnly=True),
    "stageId": described("STAGE_ID", "crm_status"),
    "leadId": described("LEAD_ID", "crm_lead", isReadOnly=True),
    "categoryId": described("CATEGORY_ID", "crm_category", isImmutable=True),
    "opened": described("OPENED", "boolean"),
    "opportunity": described("OPPORTUNITY", "double", title="Amount"),
    "begindate": described("BEGINDATE", "date"),
    "observers": described("OBSERVERS", "user", isMultiple=True),
    "ufCrm3Digit": described("UF_CRM_3_DIGIT", "double"),
    "ufCrm_3_DIGIT10": described("UF_CRM_3_DIGIT10"),
    "ufCrm5_1700000000": described("UF_CRM_5_1700000000", "boolean"),
    "ufCrm_1742000000": described("UF_CRM_1742000000", "enumeration", items=[
        {"ID": number, "VALUE": text} for number, text in COLOURS.items()
    ]),
    "ufCrm_MY_FIELD": described("UF_CRM_MY_FIELD", "money"),
    "UF_CRM_CLASH": described("UF_CRM_CLASH"),
}  # fmt: skip
DEAL, CONTACT = ItemFields(2, FIELDS), ItemFields(3, FIELDS)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        *((name, name) for name in FIELDS),
        *((described["upperName"], name) for name, described in FIELDS.items()),
        ("assigned_by_id", "assignedById"),
        ("Title", "title"),
        (" title ", "title"),
        ("UFCRM3DIGIT", "ufCrm3Digit"),
        ("uf_crm_5_1700000000", "ufCrm5_1700000000"),
        ("DATE_CREATE", "createdTime"),
        ("STATUS_ID", "stageId"),
    ],
)
def test_every_spelling_of_bitrix24_finds_its_field(spelling, name):
    assert DEAL.find(spelling, "fields").name == name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("titel", "did you mean title"),
        ("UF_CRM_3_DIGIT1", "ufCrm_3_DIGIT10"),
        # Computed by rules that the portal does not follow for this name.
        ("ufCrm1742000000", "ufCrm_1742000000"),
        ("amount", "opportunity"),
        ("nothing like it", "crm.item.fields gives the names"),
        ("phone", "crm.item.fields gives the names"),
    ],
)
def test_a_name_that_is_not_a_field_is_reported_with_the_nearest(name, near):
    with pytest.raises(ConfigurationError) as caught:
        DEAL.prepare({name: 1}, "add")
    assert f"fields names {name!r}, which is not a field of a deal" in str(caught.value)
    assert near in str(caught.value)


def test_two_fields_that_differ_only_in_case_are_told_apart_by_exact_names():
    fields = ItemFields(2, {"abc": described("X_1"), "ABC": described("X_2")})
    assert [fields.find(name, "fields").name for name in ("abc", "ABC", "X_1")] == ["abc", "ABC", "abc"]
    with pytest.raises(ConfigurationError, match="did you mean ABC or abc"):
        fields.find("Abc", "fields")


@pytest.mark.parametrize(
    ("fields", "purpose", "message"),
    [
        ({"title": "x", "TITLE": "y"}, "add", "'title' and 'TITLE', which are the same field"),
        ({"createdTime": "2026-01-01T00:00:00+03:00"}, "add", "createdTime, which is read-only"),
        ({"id": 7}, "update", "id, which is read-only"),
        ({"categoryId": 1}, "update", "categoryId, which can only be set when the item is added"),
    ],
)
def test_what_the_portal_would_drop_silently_is_refused(fields, purpose, message):
    with pytest.raises(ConfigurationError, match=message):
        DEAL.prepare(fields, purpose)


@pytest.mark.parametrize(
    ("fields", "purpose"),
    [
        ({"createdTime": "2026-01-01T00:00:00+03:00"}, "import"),
        ({"leadId": 7}, "add"),
        ({"categoryId": 1}, "add"),
        ({"categoryId": 1}, "upsert"),
    ],
)
def test_what_the_documentation_lets_be_written_is_written(fields, purpose):
    assert DEAL.prepare(fields, purpose).params(purpose) == fields


def field(kind: str, *, multiple: bool = False, user_field: bool = False) -> ItemField:
    choices = COLOURS if kind == "enumeration" else {}
    return ItemField("f", "F", kind, is_multiple=multiple, is_user_field=user_field, choices=choices)


#: Type -> what an author may write, and what is sent.
WRITTEN: dict[str, list[tuple[Any, Any]]] = {
    "boolean": [(True, "Y"), (1, "Y"), ("1", "Y"), ("y", "Y"), ("True", "Y"), ("yes", "Y"), (False, "N"), (0, "N"),
                ("0", "N"), ("N", "N"), ("false", "N"), (None, "")],
    "integer": [(5, 5), ("5", 5), (" 5 ", 5), (5.0, 5), (Decimal(5), 5), (-5, -5), (0, 0), (None, ""), ("", "")],
    "crm_company": [(7, 7), ("7", 7), (None, "")],
    "double": [(5, 5), (5.5, 5.5), ("5.50", "5.50"), (Decimal("0.10"), "0.10"), (Decimal("1E+3"), "1000"),
               (None, "")],
    "date": [(datetime.date(2026, 1, 31), "2026-01-31"), ("2026-01-31", "2026-01-31"),
             (pendulum.datetime(2026, 1, 31, tz="America/New_York"), "2026-01-31"),
             (datetime.datetime(2026, 1, 31, tzinfo=MOSCOW), "2026-01-31"),
             (datetime.datetime(2026, 1, 31), "2026-01-31"),
             # As CRM writes 18 June, east and west of Greenwich.
             ("2024-06-18T02:00:00+02:00", "2024-06-18"), ("2024-06-17T19:00:00-05:00", "2024-06-18"),
             ("2026-01-31T00:00:00+03:00", "2026-01-31"), (None, "")],
    "datetime": [(pendulum.datetime(2026, 1, 31, 9, 30, tz="Europe/Moscow"), "2026-01-31T09:30:00+03:00"),
                 (datetime.datetime(2026, 1, 31, 9, 30, 5, 999, tzinfo=NEW_YORK), "2026-01-31T09:30:05-05:00"),
                 ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00+00:00"),
                 ("2026-01-31 09:30:00.123456+0300", "2026-01-31T09:30:00+03:00"),
                 (str(pendulum.datetime(2026, 1, 31)), "2026-01-31T00:00:00+00:00"), (None, "")],
    "money": [("300|EUR", "300|EUR"), ("300.50|eur", "300.50|EUR"), ({"amount": 300, "currency": "EUR"}, "300|EUR"),
              ({"amount": Decimal("0.10"), "currency": "RUB"}, "0.10|RUB"),
              ({"amount": 0, "currency": "RUB"}, "0|RUB"), (None, "")],
    "enumeration": [(45, 45), ("45", 45), (45.0, 45), ("Red", 45), (" green ", 46), (None, ""), ("", "")],
    "string": [("x", "x"), (7, "7"), (Decimal("1.50"), "1.50"), ("", ""), (None, ""), ([], "")],
    "crm_status": [("NEW", "NEW"), (None, "")],
    "file": [(["a.png", "aWk="], ["a.png", "aWk="]), (None, "")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "given", "sent"), [(kind, *case) for kind, cases in WRITTEN.items() for case in cases]
)
def test_a_value_is_sent_as_its_type_wants(kind, given, sent):
    made = values.to_write(field(kind), given)
    assert (made, type(made)) == (sent, type(sent))


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("boolean", "maybe", "f takes yes or no, not 'maybe'"),
        ("boolean", 2, "f takes yes or no"),
        ("integer", "5.5", "f takes a whole number"),
        ("integer", "None", "f takes a number, not 'None'"),
        ("integer", True, "f takes a number, not True"),
        ("user", "Ada", "f takes a number"),
        ("double", "1 234,50", "with a point: 1234.5"),
        ("double", "inf", "f takes a number"),
        ("date", "31.01.2026", "which is not a date: write e.g. 2026-01-31"),
        ("date", "2026-02-30", "which is not a date"),
        ("date", 20260131, "which is not a date"),
        ("date", datetime.datetime(2026, 1, 31, 12), "and the field holds a day: the time would be lost"),
        ("date", "2026-01-31T00:30:00+03:00", "and the field holds a day: the time would be lost"),
        ("datetime", "2026-01-31", "a day without a time: write the time and its zone, e.g. 2026-01-31T00:00:00+03:00"),
        ("datetime", datetime.date(2026, 7, 1), "f is '2026-07-01', a day without a time: write the time and its zone"),
        ("datetime", " 2026-07-01 ", "2026-07-01T00:00:00+03:00; in a template, {{ ts }} and not {{ ds }}"),
        ("datetime", "2026-01-31T09:30:00", "has no time zone: write it with its zone, e.g. 2026-01-31T09:30:00+03:00"),
        ("datetime", datetime.datetime(2026, 1, 31), 'for many rows, give timezone="Europe/Berlin"'),
        ("datetime", "2026-01-31 09:30", "e.g. 2026-01-31T09:30:00+03:00"),
        ("datetime", "tomorrow", "not a date with a time"),
        ("datetime", 7, "not a date with a time"),
        ("money", 300, 'write "300|EUR"'),
        ("money", "300", 'write "300|EUR"'),
        ("money", {"amount": "much", "currency": "EUR"}, 'write "300|EUR"'),
        ("enumeration", 99, "f takes one of 45 (Red), 46 (Green), 47 (Blue), not 99"),
        ("enumeration", "Pink", "45 (Red)"),
        ("string", True, "f takes text, not True"),
        ("string", ["a", "b"], "f takes one value"),
        ("string", {"a": 1}, "f takes one value"),
        ("integer", [1], "f takes one value"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_a_hint(kind, given, message):
    with pytest.raises(ConfigurationError) as caught:
        values.to_write(field(kind), given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "sent"),
    [([1, "2"], [1, 2]), ((1,), [1]), (7, [7]), ([], []), (None, []), ("", [])],
)
def test_a_multiple_field_is_sent_a_list(given, sent):
    assert values.to_write(field("user", multiple=True), given) == sent


def test_members_of_nothing_are_left_out_of_texts_and_refused_among_ids():
    assert values.to_write(field("string", multiple=True), ["a", None, ""]) == ["a"]
    for nothing in (None, "", 0, "0", -1):
        with pytest.raises(ConfigurationError, match="f takes ids above 0"):
            values.to_write(field("user", multiple=True), [1, nothing])


def test_an_empty_list_clears_in_an_update_and_is_left_out_of_a_new_item():
    assert DEAL.prepare({"observers": []}, "update").params("update") == {"observers": []}
    assert DEAL.prepare({"observers": [], "title": "x"}, "add").params("add") == {"title": "x"}


# Filters


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"OPENED": True}, {"opened": "Y"}),
        ({"=opened": 0}, {"=opened": "N"}),
        # User fields of type boolean are read as Y and N, but filtered by 1 and 0.
        ({"UF_CRM_5_1700000000": True}, {"ufCrm5_1700000000": 1}),
        ({"!=ufCrm5_1700000000": "Y"}, {"!=ufCrm5_1700000000": 1}),
        ({"uf_crm_5_1700000000": "N"}, {"ufCrm5_1700000000": 0}),
        ({">=DATE_CREATE": pendulum.datetime(2026, 1, 31)}, {">=createdTime": "2026-01-31T00:00:00+00:00"}),
        ({"<begindate": datetime.date(2026, 1, 31)}, {"<begindate": "2026-01-31"}),
        ({"@STAGE_ID": ["WON", "LOSE"]}, {"@stageId": ["WON", "LOSE"]}),
        ({"!@ASSIGNED_BY_ID": ["1", 7]}, {"!@assignedById": [1, 7]}),
        ({"%TITLE": "oak"}, {"%title": "oak"}),
        ({"=%TITLE": "oak%"}, {"=%title": "oak%"}),
        ({"!=%TITLE": "oak%"}, {"!=%title": "oak%"}),
        ({"!TITLE": ""}, {"!title": ""}),
        ({"UF_CRM_1742000000": "Red"}, {"ufCrm_1742000000": 45}),
        ({">id": "100"}, {">id": 100}),
        ({"logic": "OR", "TITLE": "a", "XML_ID": "b"}, {"logic": "OR", "title": "a", "xmlId": "b"}),
        (
            {"0": {"logic": "OR", "0": {"TITLE": "a"}, "1": {"OPENED": "Y", "0": {"XML_ID": "c"}}}},
            {"0": {"logic": "OR", "0": {"title": "a"}, "1": {"opened": "Y", "0": {"xmlId": "c"}}}},
        ),
        ({"0": [{"TITLE": "a"}]}, {"0": [{"title": "a"}]}),
    ],
)
def test_a_filter_is_put_in_the_portals_names_and_values(given, asked):
    assert DEAL.filter(given) == asked


@pytest.mark.parametrize(
    "given",
    [
        {"=stageId": "LOSE", "=STAGE_ID": "WON"},
        {">=opportunity": 10, ">=OPPORTUNITY": 1},
        {"0": {"logic": "OR", "id": 1, "ID": 2}},
        {"!ufCrm3Digit": 1.5, "!UF_CRM_3_DIGIT": 2.5},
        # What the old lists call it.
        {">=createdTime": "2026-01-31T00:00:00Z", ">=DATE_CREATE": "2026-02-01T00:00:00Z"},
    ],
)
def test_a_condition_in_two_spellings_is_refused(given):
    with pytest.raises(ConfigurationError, match="are one name in two spellings, and only one would count"):
        DEAL.filter(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({">=titel": 1}, "item_filter names 'titel'"),
        ({"0": {"logic": "OR", "0": {"titel": 1}}}, "item_filter names 'titel'"),
        ({"0": "title"}, "a group in item_filter is 'title', and might hold for everything"),
        ({">=createdTime": "2026-01-31"}, r"a day without a time: write .* \{\{ ts \}\} and not \{\{ ds \}\}"),
        ({">id": [1, 2]}, r"'>id' in item_filter is \[1, 2\]: write one value"),
        ({"@id": []}, "'@id' in item_filter is an empty list"),
        ({"opened": "maybe"}, "takes yes or no"),
    ],
)
def test_a_filter_that_the_portal_would_misread_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        DEAL.filter(given)


def test_select_takes_every_spelling_and_no_name_twice():
    assert DEAL.select(["id", "UF_CRM_3_DIGIT", "ufCrm3Digit", "DATE_CREATE"]) == ["id", "ufCrm3Digit", "createdTime"]
    assert DEAL.select(["title", "*"]) == ["*"]
    with pytest.raises(ConfigurationError, match="select names 'UF_'"):
        DEAL.select(["UF_"])
    with pytest.raises(ConfigurationError, match="multi-fields cannot be selected by name"):
        CONTACT.select(["PHONE"])


# Multi-fields


@pytest.mark.parametrize(
    ("given", "fm"),
    [
        ({"PHONE": "+1"}, {"n0": ("PHONE", "WORK", "+1")}),
        ({"phone": 15550001}, {"n0": ("PHONE", "WORK", "15550001")}),
        ({"PHONE": ["+1", "+2"]}, {"n0": ("PHONE", "WORK", "+1"), "n1": ("PHONE", "WORK", "+2")}),
        ({"EMAIL": [{"VALUE": "a@b.c", "VALUE_TYPE": "HOME"}]}, {"n0": ("EMAIL", "HOME", "a@b.c")}),
        ({"fm": [{"typeId": "WEB", "value": "b.c", "valueType": "OTHER"}]}, {"n0": ("WEB", "OTHER", "b.c")}),
        ({"FM": {"n7": {"typeId": "IM", "value": "x"}}}, {"n0": ("IM", "WORK", "x")}),
        ({"PHONE": "+1", "EMAIL": "a@b.c"}, {"n0": ("PHONE", "WORK", "+1"), "n1": ("EMAIL", "WORK", "a@b.c")}),
        ({"PHONE": None}, {}),
        ({"PHONE": ["", "+1"]}, {"n0": ("PHONE", "WORK", "+1")}),
    ],
)
def test_phones_and_the_like_are_sent_as_entries_of_fm(given, fm):
    sent = CONTACT.prepare({**given, "title": "x"}, "add").params("add").get("fm", {})
    assert {key: (entry["typeId"], entry["valueType"], entry["value"]) for key, entry in sent.items()} == fm


def test_an_import_takes_phones_under_their_own_names():
    sent = CONTACT.prepare({"PHONE": ["+1", "+2"], "title": "x"}, "import").params("import")
    entries = [{"VALUE": "+1", "VALUE_TYPE": "WORK"}, {"VALUE": "+2", "VALUE_TYPE": "WORK"}]
    assert sent == {"title": "x", "PHONE": entries}


def test_an_update_names_entries_that_exist_by_id():
    given = {"fm": {"101": {"value": ""}, "102": {"valueType": "HOME", "value": "+9"}}}
    sent = CONTACT.prepare(given, "update")
    assert sent.params("update")["fm"] == {
        "101": {"valueType": "WORK", "value": ""}, "102": {"valueType": "HOME", "value": "+9"}
    }  # fmt: skip
    as_read = {"fm": [{"ID": 101, "TYPE_ID": "PHONE", "VALUE_TYPE": "WORK", "VALUE": "+8"}]}
    assert CONTACT.prepare(as_read, "update").params("update")["fm"] == {
        "101": {"typeId": "PHONE", "valueType": "WORK", "value": "+8"}
    }


@pytest.mark.parametrize(
    ("given", "purpose", "message"),
    [
        ({"fm": []}, "update", "an update changes only the entries that it names"),
        ({"fm": [{"id": 7, "typeId": "PHONE", "value": "+1"}]}, "add", "has ids of entries"),
        ({"fm": [{"typeId": "FAX", "value": "+1"}]}, "add", "typeId 'FAX': it is one of PHONE, EMAIL, WEB, IM"),
        ({"fm": "+1"}, "add", "fm holds '\\+1'"),
        ({"PHONE": True}, "add", "PHONE holds True"),
    ],
)
def test_entries_that_mean_nothing_are_refused(given, purpose, message):
    with pytest.raises(ConfigurationError, match=message):
        CONTACT.prepare(given, purpose)


def test_phones_that_an_item_has_already_are_not_sent_again():
    item = {"fm": [{"id": 1, "typeId": "PHONE", "valueType": "WORK", "value": "+1"}]}
    sent = CONTACT.prepare({"PHONE": ["+1", "+2"], "EMAIL": "+1"}, "update").for_item(item)
    assert [(entry["typeId"], entry["value"]) for entry in sent.entries] == [("PHONE", "+2"), ("EMAIL", "+1")]


# Typed


#: Type -> what portals answer, and what comes out.
TYPED: dict[str, list[tuple[Any, Any]]] = {
    "integer": [(7, 7), ("7", 7), ("", None), (None, None), ("0", 0), ("x", "x")],
    "user": [("7", 7)],
    "double": [(5, 5.0), ("0.000000", 0.0), ("19999.99", 19999.99), (None, None), ("", None), ("x", "x")],
    "boolean": [("Y", True), ("N", False), ("1", True), (0, False), (True, True), (None, None), ("", None)],
    "enumeration": [("45", 45), (45, 45), ("", None), (None, None)],
    "date": [("2024-06-18T02:00:00+02:00", "2024-06-18"), ("2024-06-17T19:00:00-05:00", "2024-06-18"),
             ("2024-06-18", "2024-06-18"), ("2024-06-18T00:00:00+02:00", "2024-06-18"), ("", None),
             ("0000-00-00 00:00:00", None), ("0001-01-01T00:00:00+03:00", "0001-01-01"),
             ("9999-12-31T19:00:00-05:00", "9999-12-31"), ("18.06.2024", "18.06.2024")],
    "datetime": [("2024-06-18T14:00:14+02:00", "2024-06-18T14:00:14+02:00"), ("", None),
                 ("2024-06-18T14:00:14Z", "2024-06-18T14:00:14+00:00")],
    "money": [("300|RUB", {"amount": "300", "currency": "RUB"}), ("", None), (None, None), ("|RUB", "|RUB")],
    "string": [("x", "x"), ("", ""), (None, None), (7, "7")],
    "crm_status": [("NEW", "NEW"), ("", "")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "answered", "out"), [(kind, *case) for kind, cases in TYPED.items() for case in cases]
)
def test_an_answer_comes_out_in_the_json_type_of_its_field(kind, answered, out):
    made = values.typed(field(kind), answered)
    assert (made, type(made)) == (out, type(out))


@pytest.mark.parametrize(
    ("answered", "out"),
    [([1, "2"], [1, 2]), ([], []), (None, []), (False, []), ("", []), ({"3": "7"}, [7]), ("7", [7])],
)
def test_a_multiple_field_comes_out_as_a_list(answered, out):
    assert values.typed(field("integer", multiple=True), answered) == out


def test_what_is_not_a_field_comes_out_as_it_is():
    item = {"id": "7", "opened": "Y", "entityTypeId": 2, "fm": [{"id": 1}]}
    assert DEAL.typed(item) == {"id": 7, "opened": True, "entityTypeId": 2, "fm": [{"id": 1}]}


# Read back


@pytest.mark.parametrize(
    ("kind", "given", "read", "taken"),
    [
        ("enumeration", 45, 45, True),
        ("enumeration", 45, None, False),
        ("enumeration", 45, 46, False),
        ("double", Decimal("999.999"), 1000.0, True),
        ("double", "999.99", 999.9, False),
        ("double", 5, None, False),
        ("date", "2024-06-18", "2024-06-17T19:00:00-05:00", True),
        ("date", "2024-06-18", None, False),
        ("datetime", "2024-06-18T12:00:00Z", "2024-06-18T15:00:00+03:00", True),
        ("datetime", "2024-06-18T12:00:00Z", "2024-06-18T12:00:00+03:00", False),
        ("datetime", "2024-06-18T12:00:00Z", None, False),
        ("money", "300|RUB", "300.00|RUB", True),
        ("money", "300|RUB", "300|USD", False),
        ("money", "300|RUB", None, False),
        ("boolean", True, "Y", True),
        ("boolean", True, "N", False),
        ("boolean", None, "N", True),
        ("string", " x ", "x", True),
        ("string", "x", "y", False),
        ("string", "", None, True),
        ("string", None, "x", False),
        ("crm_company", None, 0, True),
        ("text", "<b>x</b>", "[B]x[/B]", True),
        ("text", "x", "", False),
        ("file", ["a.png", "aWk="], {"id": 7}, True),
        ("file", ["a.png", "aWk="], None, False),
    ],
)
def test_what_was_taken_is_distinguished_from_what_was_dropped(kind, given, read, taken):
    one = field(kind)
    assert values.same(one, values.to_write(one, given), read) is taken


def test_a_multiple_field_is_taken_in_any_order_but_only_whole():
    one = field("enumeration", multiple=True)
    assert values.same(one, [45, 46], ["46", "45"])
    assert not values.same(one, [45, 46], [45])


def test_a_field_that_the_answer_lacks_was_not_taken():
    sent = CONTACT.prepare({"title": "x", "PHONE": "+1", "fm": {"7": {"value": ""}}}, "update")
    assert CONTACT.not_taken(sent, {"fm": [{"id": 7, "typeId": "EMAIL", "value": "a"}]}) == ["title", "PHONE", "fm 7"]
    assert CONTACT.not_taken(sent, {"title": "x", "fm": [{"id": 8, "typeId": "PHONE", "value": "+1"}]}) == []
