"""Stages of every funnel, those that somebody has added among them: where objects begin, and what their stages mean."""

from __future__ import annotations

import pytest

#: Kind with funnels -> its directory of a funnel's stages, a stage in process, the successful one.
FUNNELS = {
    2: ("DEAL_STAGE_{}", "C{}:EXECUTING", "C{}:WON"),
    31: ("SMART_INVOICE_STAGE_{}", "DT31_{}:S", "DT31_{}:P"),
    128: ("DYNAMIC_128_STAGE_{}", "DT128_{}:CLIENT", "DT128_{}:SUCCESS"),
}


@pytest.fixture
def call(portal, ask):
    def answer(method, **params):
        body = ask(portal, method, params).json()
        return body.get("result", body)

    return answer


def history(call, kind, item_id):
    rows = call("crm.stagehistory.list", entityTypeId=kind, filter={"OWNER_ID": item_id})["items"]
    return [(row["TYPE_ID"], row["STAGE_ID"], row["STAGE_SEMANTIC_ID"], row["CATEGORY_ID"]) for row in rows]


def test_what_is_in_process_is_found_by_that(portal, call):
    """``STAGE_SEMANTIC_ID: "P"`` is how pipelines ask for open deals."""
    deals, leads = portal.items(2), portal.items(1)
    final = {"WON", "LOSE", "CONVERTED", "JUNK"}
    open_deals = [str(deal["id"]) for deal in deals if deal["stageId"] not in final]
    open_leads = [lead["id"] for lead in leads if lead["stageId"] not in final]
    assert open_deals
    assert open_leads
    found = call("crm.deal.list", filter={"STAGE_SEMANTIC_ID": "P"})
    assert [(row["ID"], row["STAGE_SEMANTIC_ID"]) for row in found] == [(deal_id, "P") for deal_id in open_deals]
    items = call("crm.item.list", entityTypeId=1, filter={"stageSemanticId": "P"})["items"]
    assert [(item["id"], item["stageSemanticId"]) for item in items] == [(lead_id, "P") for lead_id in open_leads]
    assert call("crm.lead.list", filter={"STATUS_SEMANTIC_ID": "P", "ID": open_leads}) != []


@pytest.mark.parametrize("kind", FUNNELS)
def test_objects_move_through_a_new_funnel(call, kind):
    funnel = call("crm.category.add", entityTypeId=kind, fields={"name": "Own"})["category"]["id"]
    directory, middle, final = (text.format(funnel) for text in FUNNELS[kind])

    stages = call("crm.status.list", filter={"ENTITY_ID": directory})
    assert {row["EXTRA"]["SEMANTICS"] for row in stages} >= {"process", "success", "failure"}
    (described,) = [row for row in call("crm.status.entity.types") if row["ID"] == directory]
    assert (described["ENTITY_TYPE_ID"], described["CATEGORY_ID"]) == (kind, funnel)

    item = call("crm.item.add", entityTypeId=kind, fields={"title": "x", "categoryId": funnel})["item"]
    assert item["stageId"] == stages[0]["STATUS_ID"]
    for stage in (middle, final):
        moved = call("crm.item.update", entityTypeId=kind, id=item["id"], fields={"stageId": stage})["item"]
        assert moved["stageId"] == stage
    steps = [(1, stages[0]["STATUS_ID"], "P"), (2, middle, "P"), (3, final, "S")]
    assert history(call, kind, item["id"]) == [(*step, funnel) for step in steps]

    new = {"ENTITY_ID": directory, "STATUS_ID": "LATE", "NAME": "Late", "SORT": 25}
    code = call("crm.status.get", id=call("crm.status.add", fields=new))["STATUS_ID"]
    assert code == f"{middle.partition(':')[0]}:LATE"

    assert call("crm.item.delete", entityTypeId=kind, id=item["id"]) == []
    call("crm.category.delete", entityTypeId=kind, id=funnel)
    assert directory not in {row["ID"] for row in call("crm.status.entity.types")}
    assert call("crm.status.list", filter={"ENTITY_ID": directory}) == []


@pytest.mark.parametrize(("kind", "directory"), [(2, "DEAL_STAGE"), (31, "SMART_INVOICE_STAGE_1"), (1, "STATUS")])
def test_an_added_final_stage_ends_what_comes_to_it(call, kind, directory):
    new = {"ENTITY_ID": directory, "STATUS_ID": "TOO_LATE", "NAME": "Too late", "SEMANTICS": "F", "SORT": 90}
    code = call("crm.status.get", id=call("crm.status.add", fields=new))["STATUS_ID"]

    new_id = call("crm.item.add", entityTypeId=kind, fields={"title": "x"})["item"]["id"]
    moved = call("crm.item.update", entityTypeId=kind, id=new_id, fields={"stageId": code})["item"]
    added = call("crm.item.add", entityTypeId=kind, fields={"title": "x", "stageId": code})["item"]
    for item in (moved, added):
        assert item["stageId"] == code
        # Smart invoices show neither of them.
        assert item.get("stageSemanticId", "F") == "F"
        assert item.get("closed", "Y") == "Y"
    rows = call("crm.stagehistory.list", entityTypeId=kind, filter={"OWNER_ID": new_id})["items"]
    assert (rows[-1]["TYPE_ID"], rows[-1].get("STAGE_SEMANTIC_ID", rows[-1].get("STATUS_SEMANTIC_ID"))) == (3, "F")


def test_an_added_first_stage_is_where_objects_begin(call):
    new = {"ENTITY_ID": "DEAL_STAGE_9", "STATUS_ID": "INBOX", "NAME": "Inbox", "SORT": 5}
    call("crm.status.add", fields=new)
    assert call("crm.deal.get", id=call("crm.deal.add", fields={"CATEGORY_ID": 9}))["STAGE_ID"] == "C9:INBOX"


def test_a_stage_without_a_sort_comes_first(call):
    """Page of ``crm.status.add``: "Default is 10"."""
    status_id = call("crm.status.add", fields={"ENTITY_ID": "SOURCE", "STATUS_ID": "FAIR", "NAME": "Fair"})
    assert call("crm.status.get", id=status_id)["SORT"] == "10"


def test_new_items_go_to_the_default_funnel(call):
    own = {"name": "Own", "isDefault": "Y"}
    funnel = call("crm.category.add", entityTypeId=128, fields=own)["category"]["id"]
    item = call("crm.item.add", entityTypeId=128, fields={"title": "x"})["item"]
    assert (item["categoryId"], item["stageId"]) == (funnel, f"DT128_{funnel}:NEW")
    found = call("crm.item.list", entityTypeId=128, filter={"categoryId": funnel})["items"]
    assert [row["id"] for row in found] == [item["id"]]


@pytest.mark.parametrize("kind", [31, 128])
def test_a_stage_that_no_funnel_of_the_kind_has_is_refused(call, kind):
    for stage in ("NEW", "C9:NEW", f"DT{kind}_777:NEW"):
        refused = call("crm.item.add", entityTypeId=kind, fields={"title": "x", "stageId": stage})
        assert refused["error"] == "CRM_FIELD_ERROR_VALUE_NOT_VALID", stage
