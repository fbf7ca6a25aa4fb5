from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


def deals(ask, portal, user=None, **params):
    answer = ask(portal, "crm.deal.list", params, user).json()
    assert "result" in answer, answer
    return answer


def ids(answer):
    return [int(row["ID"]) for row in answer["result"]]


def test_values_are_text(portal, ask):
    deal_id = portal.add_deals(1, opportunity=1000)[0]
    row = deals(ask, portal, filter={"ID": deal_id})["result"][0]
    stored = portal.item(2, deal_id)
    assert (row["ID"], row["OPPORTUNITY"]) == (str(deal_id), "1000.00")
    assert (row["DATE_CREATE"], row["STAGE_ID"], row["COMMENTS"]) == (stored["createdTime"], stored["stageId"], None)
    assert "CONTACT_IDS" not in row
    assert ask(portal, "crm.deal.get", {"id": row["ID"]}).json()["result"] == row


def test_page_one_comes_again_behind_the_last(ask):
    with Sandbox(deals=120) as portal:
        pages = {start: deals(ask, portal, start=start) for start in (0, 50, 100, 150)}
        assert [page.get("next") for page in pages.values()] == [50, 100, None, 50]
        assert pages[150]["result"] == pages[0]["result"]
        assert {page["total"] for page in pages.values()} == {120}


def test_an_uncounted_list_says_that_its_total_is_0(portal, ask):
    page = deals(ask, portal, start=-1, filter={">ID": 10}, order={"ID": "ASC"}, select=["ID"])
    assert (ids(page), page["total"], "next" in page) == (list(range(11, 31)), 0, False)


def test_select_takes_system_fields_in_any_case(portal, ask):
    portal.add_deals(1, title="x", ufCrm_1700000001="Y")
    row = deals(ask, portal, select=["id", "Title", "uf_crm_1700000001", "nonsense"])["result"][0]
    assert set(row) == {"ID", "TITLE"}


@pytest.mark.parametrize(
    "filter_",
    [
        {">id": 10},
        {"NONSENSE": 1},
        {"@ID": []},
        {"0": {"logic": "OR", "0": {"ID": 1}}},
        {">DATE_CREATE": "2099-01-01T00:00:00 03:00"},
    ],
)
def test_what_an_old_list_does_not_know_it_drops(portal, ask, filter_):
    assert deals(ask, portal, filter=filter_)["total"] == 30


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({">ID": "28"}, [29, 30]),
        ({"@ID": ["3", 5]}, [3, 5]),
        ({">ID": "28abc"}, [29, 30]),
        ({">ID": ["x"], "<ID": 4}, [2, 3]),
        ({"%TITLE": "#30"}, [30]),
        ({"UF_CRM_1700000001": "True"}, []),
        ({"COMPANY_ID": ""}, []),
    ],
)
def test_filters_read_numbers_as_php_does(portal, ask, filter_, expected):
    assert ids(deals(ask, portal, filter=filter_)) == expected


def test_a_plus_lost_in_a_batch_takes_the_filter_along(portal, ask):
    """Unescaped, ``+`` is a blank, and a time without its offset is not a time."""
    lost, kept = "2099-01-01T00:00:00+03:00", "2099-01-01T00:00:00%2B03:00"
    commands = {name: f"crm.deal.list?filter[>DATE_CREATE]={at}" for name, at in (("lost", lost), ("kept", kept))}
    result = ask(portal, "batch", {"cmd": commands}).json()["result"]
    assert result["result_total"] == {"lost": 30, "kept": 0}


def test_a_short_page_makes_the_rest_of_a_chain_garbage(ask):
    with Sandbox(deals=60) as portal:
        query = "crm.deal.list?start=-1&select[]=ID&order[ID]=ASC&filter[%3EID]="
        references = ["0", "$result[c0][49][ID]", "$result[c1][49][ID]"]
        commands = {f"c{number}": query + reference for number, reference in enumerate(references)}
        pages = ask(portal, "batch", {"cmd": commands}).json()["result"]["result"]
        assert [len(page) for page in pages.values()] == [50, 10, 50]
        assert pages["c2"][0] == {"ID": "2"}


@pytest.mark.parametrize("spelling", ["filter", "FILTER", "Filter"])
def test_parameter_names_take_any_case_and_the_last_of_two_wins(portal, ask, spelling):
    assert ids(deals(ask, portal, **{spelling: {"ID": 5}})) == [5]
    assert ids(deals(ask, portal, FILTER={"ID": 5}, filter={"ID": 6})) == [6]
    assert ids(deals(ask, portal, START=-1, filter={"ID": 5})) == [5]
    assert deals(ask, portal, START=-1)["total"] == 30


def test_select_takes_masks(portal, ask):
    full = set(deals(ask, portal)["result"][0])
    assert set(deals(ask, portal, select=["TITLE"])["result"][0]) == {"TITLE"}
    user_fields = {name for name in full if name.startswith("UF_")}
    assert set(deals(ask, portal, select=["UF_*"])["result"][0]) == user_fields
    assert set(deals(ask, portal, select=["*"])["result"][0]) == full - user_fields
    assert set(deals(ask, portal, select=["*", "UF_*"])["result"][0]) == full


def test_phones_must_be_asked_for_and_bring_the_id(portal, ask):
    row = ask(portal, "crm.contact.list", {"select": ["NAME", "EMAIL"], "filter": {"ID": 1}}).json()["result"][0]
    assert set(row) == {"ID", "NAME", "EMAIL"}
    assert row["EMAIL"] == [
        {"ID": "2", "VALUE_TYPE": "WORK", "VALUE": "contact1@example.com", "TYPE_ID": "EMAIL"},
    ]
    assert "EMAIL" not in ask(portal, "crm.contact.list").json()["result"][0]
    found = ask(portal, "crm.contact.list", {"filter": {"EMAIL": "contact2@example.com"}}).json()
    assert [row["ID"] for row in found["result"]] == ["2"]
    assert set(ask(portal, "crm.contact.get", {"id": 1}).json()["result"]) >= {"PHONE", "EMAIL"}


@pytest.mark.parametrize("kind", ["deal", "lead", "contact", "company", "quote"])
def test_every_old_family_adds_gets_updates_deletes_and_describes(portal, ask, kind):
    name = "NAME" if kind == "contact" else "TITLE"
    new_id = ask(portal, f"crm.{kind}.add", {"FIELDS": {name: "New", "NONSENSE": 1}}).json()["result"]
    assert isinstance(new_id, int)
    assert (
        ask(portal, f"crm.{kind}.update", {"id": new_id, "fields": {name: "Newer", "CREATED_BY_ID": 7}}).json()[
            "result"
        ]
        is True
    )
    row = ask(portal, f"crm.{kind}.get", {"ID": new_id}).json()["result"]
    assert (row[name], row["CREATED_BY_ID"]) == ("Newer", "1")
    fields = ask(portal, f"crm.{kind}.fields").json()["result"]
    assert set(row) <= set(fields)
    system = [field["type"] for name, field in fields.items() if not name.startswith("UF_")]
    assert "boolean" not in system
    assert ask(portal, f"crm.{kind}.delete", {"id": new_id}).json()["result"] is True
    missing = ask(portal, f"crm.{kind}.get", {"id": new_id})
    assert (missing.status_code, missing.json()) == (400, {"error": "", "error_description": "Not found"})


def test_leads_and_quotes_call_their_stage_a_status(portal, ask):
    for kind in ("lead", "quote"):
        row = ask(portal, f"crm.{kind}.list").json()["result"][0]
        assert "STATUS_ID" in row
        assert "STAGE_ID" not in row


@pytest.mark.parametrize(
    ("method", "params", "user", "description"),
    [
        ("crm.deal.get", {}, "admin", "ID is not defined or invalid."),
        ("crm.deal.get", {"id": "abc"}, "admin", "ID is not defined or invalid."),
        ("crm.deal.list", {"filter": "x"}, "admin", "Parameter 'filter' must be array."),
        ("crm.deal.list", {"order": "ID"}, "admin", "Parameter 'order' must be array."),
        ("crm.deal.add", {}, "admin", "Parameter 'fields' must be array."),
        ("crm.deal.add", {"fields": {"TITLE": "x"}}, "clerk", "Access denied."),
        ("crm.deal.update", {"id": 1, "fields": {}}, "clerk", "Access denied."),
        ("crm.deal.delete", {"id": 1}, "clerk", "Access denied."),
    ],
)
def test_refusals_have_an_empty_code(portal, ask, method, params, user, description):
    response = ask(portal, method, params, getattr(portal, user))
    assert (response.status_code, response.json()) == (400, {"error": "", "error_description": description})
    assert portal.calls[-1].error == ""


def test_hidden_rows_are_not_counted(portal, ask):
    portal.clerk.sees_only_own = True
    assert deals(ask, portal, portal.clerk)["total"] < deals(ask, portal)["total"]
    portal.clerk.rights.clear()
    assert ask(portal, "crm.deal.list", user=portal.clerk).json()["error_description"] == "Access denied."


@pytest.mark.parametrize("kind", ["company", "contact", "quote"])
def test_an_import_sets_times_and_authors(portal, ask, kind):
    fields = {"TITLE": "Old", "NAME": "Old", "DATE_CREATE": "2031-01-02T03:04:05+03:00", "CREATED_BY_ID": 7}
    fields |= {"DATE_MODIFY": "2031-02-02T03:04:05+03:00", "MODIFY_BY_ID": 7}

    def added(**params):
        number = ask(portal, f"crm.{kind}.add", {"fields": fields, **params}).json()["result"]
        row = ask(portal, f"crm.{kind}.get", {"id": number}).json()["result"]
        return [row[name] for name in ("DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID")]

    assert added(params={"IMPORT": "Y"}) == [fields["DATE_CREATE"], fields["DATE_MODIFY"], "7", "7"]
    assert not {fields["DATE_CREATE"], "7"} & set(added(params={"IMPORT": "N"}))


def test_an_import_that_no_page_describes_is_refused(portal, ask):
    params = {"fields": {"NAME": "x", "DATE_CREATE": "2001-01-01"}, "params": {"IMPORT": "Y"}}
    for method in ("crm.contact.add", "crm.deal.add"):
        before = len(portal.items(3))
        assert ask(portal, method, params).json()["error"] == "NOT_MODELLED_BY_SANDBOX"
        assert len(portal.items(3)) == before
