from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

DEAL, CONTACT, COMPANY, INVOICE, SMART_PROCESS = 2, 3, 4, 31, 128


def items(ask, portal, user=None, **params):
    answer = ask(portal, "crm.item.list", {"entityTypeId": DEAL, **params}, user).json()
    assert "result" in answer, answer
    return answer


def ids(answer):
    return [row["id"] for row in answer["result"]["items"]]


def refusal(ask, portal, method, user=None, **params):
    response = ask(portal, method, {"entityTypeId": DEAL, **params}, user)
    return response.status_code, *response.json().values()


def test_pages_of_50_carry_next_and_total_until_the_last(ask):
    with Sandbox(deals=120) as portal:
        pages = [items(ask, portal, start=start) for start in (0, 50, 100)]
        assert [(len(ids(page)), page["total"], page.get("next")) for page in pages] == [
            (50, 120, 50),
            (50, 120, 100),
            (20, 120, None),
        ]
        assert [row_id for page in pages for row_id in ids(page)] == [item["id"] for item in portal.items(DEAL)]
        assert ids(items(ask, portal, start=130)) == ids(pages[2])
        assert ids(items(ask, portal, start=150)) == []


def test_a_last_page_that_is_exactly_full_has_no_next(ask):
    with Sandbox(deals=100) as portal:
        page = items(ask, portal, start=50)
        assert (len(ids(page)), page.get("next")) == (50, None)


def test_keyset_pages_are_not_counted_and_meet_every_id_once(ask):
    with Sandbox(deals=170, gaps=0.3) as portal:
        seen, last = [], 0
        while True:
            page = items(ask, portal, start=-1, filter={">id": last}, order={"id": "ASC"}, select=["id"])
            assert "total" not in page
            assert "next" not in page
            assert all(row == {"id": row["id"]} for row in page["result"]["items"])
            seen += ids(page)
            if len(ids(page)) < 50:
                break
            last = seen[-1]
        assert seen == [item["id"] for item in portal.items(DEAL)]
        assert max(seen) > 200


def test_values_are_typed(portal, ask):
    item = ask(portal, "crm.item.get", {"entityTypeId": DEAL, "id": 1}).json()["result"]["item"]
    assert item == {**item, **portal.item(DEAL, 1), "entityTypeId": DEAL}
    assert isinstance(item["opportunity"], float)
    assert (item["opened"], item["companyId"], item["contactId"], item["contactIds"]) == ("Y", 2, 2, [2])
    assert item["movedTime"] == item["createdTime"]
    assert "ufCrm_MY_FIELD" in item


def test_select_gives_only_what_exists_and_was_asked_for(portal, ask):
    row = items(ask, portal, select=["title", "nonsense"], filter={"id": 1})["result"]["items"][0]
    assert row == {"title": portal.item(DEAL, 1)["title"]}


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({"title": "ALPHA"}, [1, 2]),
        ({"!title": "alpha"}, [3, 4]),
        ({"@title": ["beta", "gamma"]}, [3, 4]),
        ({"!@title": ["beta", "gamma"]}, [1, 2]),
        ({"%title": "et"}, [3]),
        ({"!%title": "a"}, []),
        ({"=%title": "%mma"}, [4]),
        ({"%=title": "al%"}, [1, 2]),
        ({">opportunity": 10, "<=opportunity": "30"}, [2, 3]),
        ({"opportunity": ["10", 40]}, [1, 4]),
        ({">=id": 2, "<id": 4}, [2, 3]),
        ({">id": 1, ">=id": 3}, [3, 4]),
        ({">=id": 3, ">id": 1, "<=id": 3}, [3]),
        ({"@id": [1, 4], "!id": 4}, [1]),
        ({"comments": ""}, [2, 3, 4]),
        ({"!=comments": ""}, [1]),
        ({">createdTime": "2026-02-01T00:00:00+00:00"}, [3, 4]),
        ({"<createdTime": "2026-02-01T03:00:01"}, [1, 2]),
        ({"ufCrm_1700000001": 1}, [2]),
        ({"ufCrm_1700000001": "Y"}, []),
        ({"contactIds": 7}, [3]),
        ({"0": {"logic": "OR", "0": {"title": "beta"}, "1": {">opportunity": 30}}}, [3, 4]),
        ({"0": {"0": {">id": 1}}, "title": "alpha"}, [2]),
        ([{"logic": "OR", "0": {"id": 1}, "1": {"id": 2}}], [1, 2]),
    ],
)
def test_filters(ask, filter_, expected):
    with Sandbox(deals=0) as portal:
        early, late = "2026-02-01T03:00:00+03:00", "2026-02-01T03:00:01+03:00"
        portal.add_deals(1, title="alpha", opportunity=10, createdTime=early, comments="x")
        portal.add_deals(1, title="Alpha", opportunity=20.5, createdTime=early, ufCrm_1700000001="Y")
        portal.add_deals(1, title="beta", opportunity=30, createdTime=late, contactIds=[7, 8])
        portal.add_deals(1, title="gamma", opportunity=40, createdTime=late)
        assert ids(items(ask, portal, filter=filter_)) == expected


def test_orders(ask):
    with Sandbox(deals=0) as portal:
        for title, opportunity in (("b", 1), ("a", 1), (None, 2)):
            portal.add_deals(1, title=title, opportunity=opportunity)
        assert ids(items(ask, portal, order={"id": "DESC"})) == [3, 2, 1]
        assert ids(items(ask, portal, order={"title": "asc"})) == [3, 2, 1]
        assert ids(items(ask, portal, order={"opportunity": "DESC", "title": "ASC"})) == [3, 2, 1]
        assert ids(items(ask, portal, order={"id": "DESC"}, filter={">id": 1}, start=-1)) == [3, 2]
        assert ids(items(ask, portal, order={"ID": "DESC"}, filter={">ID": 1}, start=-1)) == [3, 2]


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"filter": {"Title": 1}}, "Invalid filter: field 'Title' is not allowed in filter"),
        ({"filter": {">id": [1]}}, "Invalid filter: field 'id' has invalid value"),
        ({"filter": {"opportunity": "much"}}, "Invalid filter: field 'opportunity' has invalid value"),
        ({"filter": {">createdTime": "2026-01-01T00:00:00 03:00"}}, "Invalid filter: field 'createdTime' has invalid"),
        ({"filter": {"0": {"nonsense": 1}}}, "Invalid filter: field 'nonsense' is not allowed in filter"),
        ({"order": {"Title": "ASC"}}, "Invalid order: field 'Title' is not allowed in order"),
        ({"order": {"id": "UP"}}, "Invalid order: allowed sort directions are ASC, DESC. But got 'UP' for field 'id'"),
    ],
)
def test_what_a_new_list_does_not_know_it_refuses(portal, ask, params, description):
    status, code, text = refusal(ask, portal, "crm.item.list", **params)
    assert (status, code) == (400, "INVALID_ARG_VALUE")
    assert text.startswith(description)


def test_a_chain_of_pages_in_one_batch(ask):
    with Sandbox(deals=120) as portal:
        query = "crm.item.list?entityTypeId=2&start=-1&select[]=id&order[id]=ASC&filter[%3Eid]="
        last = ["0", "$result[c0][items][49][id]", "$result[c1][items][49][id]", "$result[c2][items][49][id]"]
        commands = {f"c{number}": query + reference for number, reference in enumerate(last)}
        result = ask(portal, "batch", {"cmd": commands}).json()["result"]
        assert [len(page["items"]) for page in result["result"].values()] == [50, 50, 20]
        assert result["result"]["c1"]["items"][0] == {"id": 51}
        # The page before was short: the reference is not a number any more.
        assert result["result_error"]["c3"]["error"] == "INVALID_ARG_VALUE"


def test_an_item_is_added_changed_and_deleted(portal, ask):
    fields = {
        "title": "New",
        "opportunity": "10.50",
        "opened": 1,
        "isManualOpportunity": "Y",
        "contactIds": ["3", 4],
        "begindate": "2026-05-05",
        "createdTime": "2000-01-01",
        "nonsense": 1,
        "closedate": "next week",
    }
    answer = ask(portal, "crm.item.add", {"entityTypeId": DEAL, "fields": fields}).json()
    item = answer["result"]["item"]
    assert (item["opportunity"], item["opened"], item["isManualOpportunity"]) == (10.5, "N", "Y")
    assert (item["contactIds"], item["begindate"]) == ([3, 4], "2026-05-05T03:00:00+03:00")
    assert item["createdTime"] > "2001"
    # Not a date: as if it had not been written.
    assert item["closedate"] == f"{(datetime.fromisoformat(item['createdTime']) + timedelta(7)).date()}T03:00:00+03:00"
    portal.clock.advance(60)
    change = {"entityTypeId": DEAL, "id": item["id"], "fields": {"stageId": "WON", "createdBy": 7}}
    changed = ask(portal, "crm.item.update", change).json()["result"]["item"]
    assert (changed["stageId"], changed["stageSemanticId"], changed["closed"]) == ("WON", "S", "Y")
    assert changed["createdBy"] == 1
    assert changed["movedTime"] == changed["updatedTime"] > changed["createdTime"]
    gone = {"entityTypeId": DEAL, "id": item["id"]}
    assert ask(portal, "crm.item.delete", gone).json()["result"] == []
    assert portal.item(DEAL, item["id"]) is None
    assert refusal(ask, portal, "crm.item.get", id=item["id"]) == (400, "NOT_FOUND", "Item not found")


def test_deleting_a_deal_takes_its_payments_along(portal, ask):
    payment_id = portal.add_payment(5)
    ask(portal, "crm.item.delete", {"entityTypeId": DEAL, "id": 5})
    assert portal.payment(payment_id) is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"opportunity": "much"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        # What pandas writes for no value; Python reads all of these as numbers, a portal none.
        ({"opportunity": "NaN"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        ({"opportunity": "1e400"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        ({"opportunity": 10**400}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        ({"opportunity": "1_000"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        ({"companyId": "Infinity"}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        ({"observers": ["nan"]}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        ({"title": ["a"]}, "CRM_FIELD_ERROR_VALUE_NOT_VALID"),
        ({"contactIds": "3"}, "100"),
        (None, "100"),
    ],
)
def test_values_that_do_not_fit_are_refused(portal, ask, fields, code):
    count = len(portal.items(DEAL))
    assert refusal(ask, portal, "crm.item.add", fields=fields)[1] == code
    assert len(portal.items(DEAL)) == count


def test_import_answers_entry_by_entry(portal, ask):
    data = {"a": {"name": "Ada"}, "b": {"post": "none"}, "c": {"lastName": "Berg"}}
    answer = ask(portal, "crm.item.batchImport", {"entityTypeId": CONTACT, "data": data})
    entries = answer.json()["result"]["items"]
    assert answer.status_code == 200
    assert portal.item(CONTACT, entries["a"]["item"]["id"])["name"] == "Ada"
    assert entries["b"] == {"error": "CRM_FIELD_ERROR_REQUIRED", "error_description": 'The "Name" field is required'}
    many = refusal(ask, portal, "crm.item.batchImport", data=[{"title": "x"}] * 21)
    assert many[1] == "MAX_IMPORT_BATCH_SIZE_EXCEEDED"


def test_an_import_takes_phones_under_their_own_names_and_times_from_administrators(portal, ask):
    made = {"name": "Ada", "createdTime": "2020-01-02T03:04:05+03:00", "fm": {"n0": {"value": "+2"}}}
    data = [{**made, "PHONE": [{"VALUE": "+1", "VALUE_TYPE": "HOME"}]}]
    answer = ask(portal, "crm.item.batchImport", {"entityTypeId": CONTACT, "data": data}).json()
    item = portal.item(CONTACT, answer["result"]["items"][0]["item"]["id"])
    assert [(entry["typeId"], entry["valueType"], entry["value"]) for entry in item["fm"]] == [("PHONE", "HOME", "+1")]
    assert item["createdTime"] == "2020-01-02T03:04:05+03:00"
    added = ask(portal, "crm.item.add", {"entityTypeId": CONTACT, "fields": made}).json()["result"]["item"]
    assert added["createdTime"] > "2025"


def test_what_is_not_a_value_of_an_enumeration_is_dropped_silently(portal, ask):
    fields = {"ufCrm_1700000004": 99, "ufCrm_1700000005": [45, 99, "47"]}
    answer = ask(portal, "crm.item.add", {"entityTypeId": DEAL, "fields": fields})
    item = answer.json()["result"]["item"]
    assert (answer.status_code, item["ufCrm_1700000004"], item["ufCrm_1700000005"]) == (200, None, [45, 47])
    described = ask(portal, "crm.item.fields", {"entityTypeId": DEAL}).json()["result"]["fields"]
    assert {"ID": "45", "VALUE": "Red"} in described["ufCrm_1700000004"]["items"]


def test_phones_and_mails_are_changed_by_entry(portal, ask):
    phone, mail = portal.item(CONTACT, 1)["fm"]
    change = {"n0": {"typeId": "PHONE", "valueType": "HOME", "value": "+1"}, str(mail["id"]): {"value": ""}}
    ask(portal, "crm.item.update", {"entityTypeId": CONTACT, "id": 1, "fields": {"fm": change}})
    item = portal.item(CONTACT, 1)
    assert [entry["value"] for entry in item["fm"]] == [phone["value"], "+1"]
    assert (item["hasPhone"], item["hasEmail"]) == ("Y", "N")


@pytest.mark.parametrize("type_id", ["TEL", {"a": 1}, 5])
def test_contact_data_of_an_unknown_type_is_dropped(portal, ask, type_id):
    before = portal.item(CONTACT, 1)["fm"]
    change = {"n0": {"typeId": type_id, "value": "+1"}}
    ask(portal, "crm.item.update", {"entityTypeId": CONTACT, "id": 1, "fields": {"fm": change}})
    assert portal.item(CONTACT, 1)["fm"] == before


@pytest.mark.parametrize("entity_type_id", [1, DEAL, CONTACT, COMPANY, 7, INVOICE, SMART_PROCESS])
def test_every_kind_has_items_and_fields(portal, ask, entity_type_id):
    answer = items(ask, portal, entityTypeId=entity_type_id)
    fields = ask(portal, "crm.item.fields", {"entityTypeId": entity_type_id}).json()["result"]["fields"]
    assert answer["total"] > 0
    assert set(answer["result"]["items"][0]) | {"fm"} == set(fields) | {"fm"}
    assert fields["createdTime"]["upperName"] == "CREATED_TIME"


def test_user_fields_can_keep_their_original_names(portal, ask):
    row = items(ask, portal, useOriginalUfNames="Y", select=["id", "UF_CRM_MY_FIELD"])["result"]["items"][0]
    assert set(row) == {"id", "UF_CRM_MY_FIELD"}
    fields = ask(portal, "crm.item.fields", {"entityTypeId": DEAL}).json()["result"]["fields"]
    assert fields["ufCrm_1700000001"]["upperName"] == "UF_CRM_1700000001"


@pytest.mark.parametrize(("entity_type_id", "code"), [(5, "ENTITY_TYPE_NOT_SUPPORTED"), (999, "NOT_FOUND")])
def test_unknown_kinds_are_refused(portal, ask, entity_type_id, code):
    assert refusal(ask, portal, "crm.item.list", entityTypeId=entity_type_id)[:2] == (400, code)


def test_the_clerk_changes_nothing_and_may_see_only_own_rows(portal, ask):
    for method in ("crm.item.add", "crm.item.update", "crm.item.delete"):
        assert refusal(ask, portal, method, portal.clerk, id=1, fields={"title": "x"})[1] == "ACCESS_DENIED"
    everything = items(ask, portal)["total"]
    portal.clerk.sees_only_own = True
    mine = items(ask, portal, portal.clerk)
    assert 0 < mine["total"] < everything
    assert {row["assignedById"] for row in mine["result"]["items"]} == {7}
    hidden = refusal(ask, portal, "crm.item.get", portal.clerk, id=1)
    assert hidden[1:] == ("ACCESS_DENIED", "You do not have permission to view this item")


def test_a_russian_portal_says_so_in_russian(ask):
    with Sandbox(language="ru") as portal:
        assert refusal(ask, portal, "crm.item.get", id=999)[1:] == ("NOT_FOUND", "Элемент не найден")
        denied = refusal(ask, portal, "crm.item.delete", portal.clerk, id=1)
        assert denied[1:] == ("ACCESS_DENIED", "Доступ запрещен")


@pytest.mark.parametrize("name", ["select", "filter", "order"])
def test_a_text_where_a_list_or_an_object_belongs_is_refused(portal, ask, name):
    description = f"Invalid value {{id}} to match with parameter {{{name}}}. Should be value of type array."
    assert refusal(ask, portal, "crm.item.list", **{name: "id"}) == (400, "100", description)


def test_names_in_upper_case_are_taken_and_answered_in_camel_case(portal, ask):
    fields = {"TITLE": "New", "ORIGINATOR_ID": "erp", "UF_CRM_MY_FIELD": "own", "CREATED_TIME": "2000-01-01"}
    item = ask(portal, "crm.item.add", {"entityTypeId": DEAL, "fields": fields}).json()["result"]["item"]
    assert (item["title"], item["originatorId"], item["ufCrm_MY_FIELD"]) == ("New", "erp", "own")
    assert item["createdTime"] > "2001"
    answer = items(
        ask, portal, filter={"=ORIGINATOR_ID": "erp"}, select=["ID", "TITLE", "title"], order={"TITLE": "ASC"}
    )
    assert answer["result"]["items"] == [{"id": item["id"], "title": "New"}]


def test_what_was_not_written_is_empty_as_documented(portal, ask):
    deal = ask(portal, "crm.item.add", {"entityTypeId": DEAL, "fields": {}}).json()["result"]["item"]
    day = f"{deal['createdTime'][:10]}T03:00:00+03:00"
    expected = {
        "title": f"Deal #{deal['id']}", "typeId": "SALE", "sourceId": "CALL", "stageId": "NEW", "begindate": day,
        "isManualOpportunity": "N", "probability": None, "opportunity": 0, "companyId": 0, "contactIds": [],
        "leadId": None, "comments": "", "isWon": None, "observers": [],
    }  # fmt: skip
    assert {name: deal[name] for name in expected} == expected
    old = ask(portal, "crm.deal.get", {"id": deal["id"]}).json()["result"]
    expected = {
        "TYPE_ID": "SALE", "SOURCE_ID": "CALL", "PROBABILITY": None, "OPPORTUNITY": "0.00", "COMPANY_ID": None,
        "CATEGORY_ID": "0", "LEAD_ID": None, "BEGINDATE": day,
    }  # fmt: skip
    assert {name: old[name] for name in expected} == expected
    assert "CONTACT_IDS" not in old


def test_an_empty_text_stays_one(portal, ask):
    fields = {"title": "x", "comments": "c", "additionalInfo": ""}
    item = ask(portal, "crm.item.add", {"entityTypeId": DEAL, "fields": fields}).json()["result"]["item"]
    assert (item["additionalInfo"], item["originId"]) == ("", None)
    assert ids(items(ask, portal, filter={"additionalInfo": "", "comments": "c"})) == [item["id"]]


def test_a_funnel_has_its_own_stages(portal, ask):
    item = ask(portal, "crm.item.add", {"entityTypeId": DEAL, "fields": {"categoryId": 9}}).json()["result"]["item"]
    assert item["stageId"] == "C9:NEW"
    change = {"entityTypeId": DEAL, "id": item["id"], "fields": {"categoryId": 0}}
    assert ask(portal, "crm.item.update", change).json()["result"]["item"]["stageId"] == "NEW"
    history = {"entityTypeId": DEAL, "filter": {"OWNER_ID": item["id"]}}
    rows = ask(portal, "crm.stagehistory.list", history).json()["result"]["items"]
    assert [(row["TYPE_ID"], row["STAGE_ID"], row["CATEGORY_ID"]) for row in rows] == [(1, "C9:NEW", 9), (5, "NEW", 0)]


@pytest.mark.parametrize(
    ("kind", "first", "final"), [(SMART_PROCESS, "DT128_10:NEW", "DT128_10:SUCCESS"), (INVOICE, "DT31_1:N", "DT31_1:P")]
)
def test_smart_kinds_have_stages_of_their_own(portal, ask, kind, first, final):
    item = ask(portal, "crm.item.add", {"entityTypeId": kind, "fields": {}}).json()["result"]["item"]
    assert item["stageId"] == first
    change = {"entityTypeId": kind, "id": item["id"], "fields": {"stageId": final}}
    moved = ask(portal, "crm.item.update", change).json()["result"]["item"]
    assert (moved["stageId"], moved["previousStageId"]) == (final, first)
    assert (
        refusal(ask, portal, "crm.item.add", entityTypeId=kind, fields={"stageId": "NEW"})[1]
        == "CRM_FIELD_ERROR_VALUE_NOT_VALID"
    )
    fields = ask(portal, "crm.item.fields", {"entityTypeId": kind}).json()["result"]["fields"]
    statuses = ask(portal, "crm.status.list", {"filter": {"ENTITY_ID": fields["stageId"]["statusType"]}}).json()[
        "result"
    ]
    assert {first, final} <= {status["STATUS_ID"] for status in statuses}


def test_seeded_deals_have_a_stage_history(portal, ask):
    rows = ask(portal, "crm.stagehistory.list", {"entityTypeId": DEAL, "filter": {"OWNER_ID": 1}}).json()["result"][
        "items"
    ]
    assert rows[0]["TYPE_ID"] == 1
    assert rows[-1]["STAGE_ID"] == portal.item(DEAL, 1)["stageId"]


def test_a_file_is_written_kept_and_taken_away(portal, ask):
    photo = ["photo.png", "aGVsbG8="]
    fields = {"name": "Ada", "photo": photo}
    item = ask(portal, "crm.item.add", {"entityTypeId": CONTACT, "fields": fields}).json()["result"]["item"]
    assert set(item["photo"]) == {"id", "url", "urlMachine"}
    old = ask(portal, "crm.contact.get", {"id": item["id"]}).json()["result"]["PHOTO"]
    assert (old["id"], set(old)) == (item["photo"]["id"], {"id", "showUrl", "downloadUrl"})

    def change(value):
        params = {"entityTypeId": CONTACT, "id": item["id"], "fields": {"photo": value}}
        return ask(portal, "crm.item.update", params).json()["result"]["item"]["photo"]

    assert change({"id": item["photo"]["id"]}) == item["photo"]
    assert change("") is None
    assert (
        refusal(ask, portal, "crm.item.add", entityTypeId=CONTACT, fields={"photo": ["x", "%%"]})[1]
        == "CRM_FIELD_ERROR_VALUE_NOT_VALID"
    )
