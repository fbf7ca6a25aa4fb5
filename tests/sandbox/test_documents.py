"""Documents of CRM objects, the templates they are made of, and their numbers."""

from __future__ import annotations

import base64

import pytest

CONTENT = b"PK\x03\x04 a template"


@pytest.fixture
def call(portal, ask):
    return lambda method, params=None: ask(portal, f"crm.documentgenerator.{method}", params).json()


@pytest.fixture
def numerator(call):
    sequence = {"Bitrix_Main_Numerator_Generator_SequentNumberGenerator": {"start": 7, "step": 2, "length": 4}}
    fields = {"name": "Offers", "template": "A-{NUMBER}", "settings": sequence}
    return call("numerator.add", {"fields": fields})["result"]["numerator"]["id"]


@pytest.fixture
def template(call, numerator):
    fields = {"name": "Offer", "numeratorId": numerator, "region": "de", "entityTypeId": [2]}
    fields["file"] = ["offer.docx", base64.b64encode(CONTENT).decode()]
    return call("template.add", {"fields": fields})["result"]["template"]["id"]


@pytest.fixture
def made(call, template):
    def make(**params):
        answer = call("document.add", {"templateId": template, "entityTypeId": 2, "entityId": 1, **params})
        return answer.get("result", answer).get("document", answer)

    return make


def test_documents_are_numbered_in_turn(call, made, numerator):
    first = made()
    assert (first["number"], first["title"]) == ("A-0007", "Offer A-0007")
    assert made()["number"] == "A-0009"
    assert made(values={"DocumentNumber": "own", "DocumentTitle": "Mine"})["title"] == "Mine"
    assert made()["number"] == "A-0011"
    call("numerator.update", {"id": numerator, "fields": {"template": "B-{NUMBER}"}})
    assert made()["number"] == "B-0013"
    call("numerator.delete", {"id": numerator})
    assert made()["error_description"] == "Error getting next number"


def test_a_document_has_bytes_and_the_sum_of_its_object(call, made, portal, http):
    portal.add_product_row(1, price=10, quantity=3)
    document = made(stampsEnabled=1)
    assert document["products"] == {"currencyId": "USD", "totalSum": "30.00", "totalRows": 1}
    assert (document["stampsEnabled"], document["values"]["stampsEnabled"]) == (True, True)
    http.verify = portal.ca_file
    assert http.get(document["downloadUrlMachine"], timeout=10).content == CONTENT
    assert "pdfUrlMachine" not in document
    other = document["downloadUrlMachine"].replace("document.download", "template.download")
    assert http.get(other, timeout=10).json()["error"] == "ACCESS_DENIED"


def test_an_uploaded_document_has_the_files_that_were_sent(call, portal, http):
    fields = {"entityTypeId": 2, "entityId": 1, "region": "de", "title": "Offer", "number": "5"}
    fields |= {"fileContent": base64.b64encode(b"docx").decode(), "pdfContent": base64.b64encode(b"pdf").decode()}
    document = call("document.upload", {"fields": fields})["result"]["document"]
    assert (document["number"], document["title"]) == ("5", "Offer")
    http.verify = portal.ca_file
    contents = [http.get(document[f"{name}UrlMachine"], timeout=10).content for name in ("download", "pdf")]
    assert contents == [b"docx", b"pdf"]
    assert "imageUrlMachine" not in document
    # Its template is nobody's to choose.
    assert call("template.list")["result"]["templates"] == {}
    assert call("document.upload", {"fields": {**fields, "entityId": 999_999}})["error_description"] == (
        'Wrong "entityId" field value'
    )


def test_documents_are_changed_found_published_and_deleted(call, made):
    first, second = made(), made()
    changed = call("document.update", {"id": first["id"], "values": {"DocumentNumber": "9", "Client": "Ada"}})
    assert (changed["result"]["document"]["number"], changed["result"]["document"]["values"]["Client"]) == ("9", "Ada")
    found = call("document.list", {"filter": {"entityId": 1, "entityTypeId": 2}, "order": {"id": "desc"}})
    assert [row["id"] for row in found["result"]["documents"]] == [str(second["id"]), str(first["id"])]
    (row,) = call("document.list", {"filter": {"number": "9"}, "select": ["title"]})["result"]["documents"]
    assert row["title"] == first["title"]
    assert "number" not in row
    assert "Unknown field definition x (x)" in call("document.list", {"filter": {"x": 1}})["error_description"]
    assert "Unknown field definition x (x)" in call("document.list", {"select": ["x"]})["error_description"]
    url = call("document.enablepublicurl", {"id": first["id"]})["result"]["publicUrl"]
    assert url == call("document.get", {"id": first["id"]})["result"]["document"]["publicUrl"]
    assert call("document.enablepublicurl", {"id": first["id"], "status": 0})["result"] == {"publicUrl": None}
    assert call("document.delete", {"id": first["id"]})["result"] is None
    assert call("document.get", {"id": first["id"]})["error_description"] == "Document not found"


def test_a_deleted_template_makes_no_document(call, made, template):
    assert call("template.delete", {"id": template})["result"] is None
    assert made()["error_description"] == "Cannot create document on deleted template"
    assert call("template.list")["result"]["templates"] == {}
    (row,) = call("template.list", {"filter": {"isDeleted": "Y"}, "select": ["name", "users"]})["result"][
        "templates"
    ].values()
    assert (row["name"], row["users"]) == ("Offer", [])


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"entityTypeId": 999}, "No provider for entityTypeId"),
        ({"entityId": 0}, 'Empty required parameter "value"'),
        ({"entityId": 999_999}, "Access denied"),
        ({"templateId": 999_999}, "Template not found"),
    ],
)
def test_a_document_without_what_it_is_made_of_is_refused(made, params, said):
    assert made(**params)["error_description"] == said


def test_numbers_that_the_sandbox_cannot_make_are_refused(call, numerator):
    for fields in (
        {"template": "{YEAR}-{NUMBER}"},
        {"settings": {"Bitrix_Main_Numerator_Generator_SequentNumberGenerator": {"periodicBy": "day"}}},
    ):
        answer = call("numerator.update", {"id": numerator, "fields": fields})
        assert answer["error"] == "NOT_MODELLED_BY_SANDBOX"


def test_who_may_not_write_makes_nothing(portal, ask):
    for method in ("numerator.get", "template.list", "document.update"):
        answer = ask(portal, f"crm.documentgenerator.{method}", {"id": 1}, user=portal.clerk).json()
        assert answer["error"] == "DOCGEN_ACCESS_ERROR"
