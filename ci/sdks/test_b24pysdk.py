"""b24pysdk, the official SDK for Python, as it is on the package index."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook, Client
from b24pysdk.api.requesters import BitrixOAuthRequester
from b24pysdk.credentials import RenewedOAuth
from b24pysdk.errors import BitrixAPIError
from b24pysdk.errors.oauth import BitrixOAuthInvalidClient, BitrixOAuthInvalidGrant, BitrixOauthWrongClient

from airflow_provider_bitrix24.sandbox import Sandbox


@pytest.fixture
def token(portal: Sandbox) -> BitrixWebhook:
    address = urlsplit(portal.webhook())
    return BitrixWebhook(domain=address.netloc, webhook_token=address.path.removeprefix("/rest/").strip("/"))


@pytest.fixture
def client(token: BitrixWebhook) -> Client:
    return Client(token)


def test_a_method_of_the_client_gets_a_deal(client: Client) -> None:
    answer = client.crm.deal.get(bitrix_id=1).response

    assert answer.result["ID"] == "1"
    assert answer.time.duration >= 0


def test_a_deal_is_added_changed_and_deleted(client: Client, portal: Sandbox) -> None:
    deal_id = client.crm.deal.add({"TITLE": "Made by an SDK"}).result
    assert client.crm.deal.update(deal_id, {"TITLE": "Changed by an SDK"}).result is True
    assert portal.item(2, deal_id)["title"] == "Changed by an SDK"

    assert client.crm.deal.delete(deal_id).result is True
    assert portal.item(2, deal_id) is None


def test_fields_of_deals_are_described(client: Client) -> None:
    assert client.crm.deal.fields().result["ID"]["type"] == "integer"


def test_contacts_of_a_deal_are_one_relation(client: Client, token: BitrixWebhook) -> None:
    deal_id = client.crm.deal.add({"TITLE": "With contacts"}).result
    link = client.crm.deal.contact
    assert link.add(deal_id, {"CONTACT_ID": 1, "SORT": 20}).result is True
    assert link.items.set(deal_id, [{"CONTACT_ID": 2, "IS_PRIMARY": "Y"}, {"CONTACT_ID": 3}]).result is True

    assert [row["CONTACT_ID"] for row in link.items.get(deal_id).result] == [2, 3]
    assert client.crm.deal.get(bitrix_id=deal_id).result["CONTACT_ID"] == "2"
    item = token.call_method("crm.item.get", {"entityTypeId": 2, "id": deal_id})["result"]["item"]
    assert (item["contactId"], item["contactIds"]) == (2, [2, 3])

    assert link.delete(deal_id, {"CONTACT_ID": 2}).result is True
    assert link.items.delete(deal_id).result is True
    assert link.items.get(deal_id).result == []
    client.crm.deal.delete(deal_id).result  # noqa: B018


def test_fields_of_items_are_taken_under_their_upper_case_names(client: Client, portal: Sandbox) -> None:
    item = client.crm.item.add(entity_type_id=2, fields={"TITLE": "LOUD", "OPPORTUNITY": 5}).result["item"]
    assert (item["title"], item["opportunity"]) == ("LOUD", 5)

    rows = client.crm.item.list(entity_type_id=2, select=["ID", "TITLE"], filter={"TITLE": "LOUD"}).result["items"]
    assert [row["id"] for row in rows] == [item["id"]]
    portal.remove_item(2, item["id"])


@pytest.mark.parametrize("kind", ["company", "contact", "deal", "lead", "quote"])
def test_every_described_field_is_answered(client: Client, kind: str) -> None:
    methods = getattr(client.crm, kind)
    described = methods.fields().result
    new_id = methods.add({"TITLE": "Whole", "NAME": "Whole"}).result
    row = methods.get(bitrix_id=new_id).result
    assert methods.delete(new_id).result is True
    # Written and never read in the old way, and phones that nobody has.
    unread = {"TRACE", "CONTACT_IDS", "COMPANY_IDS", "CONTACT_ID", "PHONE", "EMAIL", "WEB", "IM", "LINK"}
    assert set(described) - set(row) <= unread


def test_a_task_is_added_changed_completed_and_deleted(client: Client) -> None:
    tasks = client.tasks.task
    task_id = int(tasks.add({"TITLE": "By an SDK", "RESPONSIBLE_ID": 1}).result["task"]["id"])
    assert tasks.update(task_id, {"TITLE": "Changed by an SDK"}).result["task"]["title"] == "Changed by an SDK"
    assert tasks.complete(task_id).result["task"]["status"] == "5"
    assert client.task.elapseditem.add(task_id, {"SECONDS": 60, "COMMENT_TEXT": "x"}).result > 0
    entries = client.task.elapseditem.getlist(task_id=task_id, order={"ID": "desc"}, filter={"USER_ID": 1}).result
    assert [entry["MINUTES"] for entry in entries] == ["1"]
    assert client.task.commentitem.add(task_id, {"POST_MESSAGE": "Done"}).result > 0

    assert tasks.delete(task_id).result["task"] is True
    assert tasks.get(task_id).result == []


def test_every_answer_says_how_much_running_time_was_used(client: Client) -> None:
    time = client.crm.deal.get(bitrix_id=1).response.time
    # Calls of less than a tenth of a second cost nothing.
    assert time.operating == 0
    assert time.operating_reset_at > time.date_finish


def test_a_missing_deal_is_the_error_of_the_sdk(client: Client) -> None:
    with pytest.raises(BitrixAPIError, match=r"(?i)not found"):
        client.crm.deal.get(bitrix_id=999_999_999).response  # noqa: B018


def test_what_the_clerk_may_not_do_is_the_error_of_the_sdk(portal: Sandbox) -> None:
    address = urlsplit(portal.webhook(portal.clerk))
    clerk = BitrixWebhook(domain=address.netloc, webhook_token=address.path.removeprefix("/rest/").strip("/"))

    with pytest.raises(BitrixAPIError, match=r"(?i)denied"):
        clerk.call_method("crm.item.payment.delete", {"id": portal.add_payment(deal_id=1)})


def test_its_list_by_offset_reads_every_deal(client: Client, deal_ids: list[int]) -> None:
    rows = client.crm.deal.list(select=["ID"]).as_list().result

    assert sorted(int(row["ID"]) for row in rows) == deal_ids


@pytest.mark.parametrize("descending", [False, True])
def test_its_fast_list_reads_every_deal_in_order(client: Client, deal_ids: list[int], descending: bool) -> None:
    rows = client.crm.deal.list(select=["ID"]).as_list_fast(descending=descending).result

    assert [int(row["ID"]) for row in rows] == sorted(deal_ids, reverse=descending)


def test_both_lists_read_every_item(token: BitrixWebhook, deal_ids: list[int]) -> None:
    params = {"entityTypeId": 2, "select": ["id"]}
    by_offset = token.call_list("crm.item.list", params)["result"]
    by_id = list(token.call_list_fast("crm.item.list", params)["result"])

    assert sorted(item["id"] for item in by_offset) == deal_ids
    assert [item["id"] for item in by_id] == deal_ids


def test_a_batch_answers_by_key_and_tells_which_command_failed(client: Client) -> None:
    answer = client.call_batch(
        {"first": client.crm.deal.get(bitrix_id=1), "missing": client.crm.deal.get(bitrix_id=999_999_999)}
    ).response.result

    assert answer.result["first"]["ID"] == "1"
    assert "missing" in answer.result_error


def test_payments_are_deleted_in_batches(token: BitrixWebhook, portal: Sandbox, payment_ids: list[int]) -> None:
    commands = {str(id_): ("crm.item.payment.delete", {"id": id_}) for id_ in payment_ids}
    answer = token.call_batches(commands)["result"]

    assert list(answer["result"].values()) == [True] * len(payment_ids)
    assert [portal.payment(payment_id) for payment_id in payment_ids] == [None] * len(payment_ids)


@pytest.fixture
def oauth(portal: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    # The SDK knows one authorization server by its address; nothing else of it is changed.
    monkeypatch.setattr(BitrixOAuthRequester, "_OAUTH_TOKEN_URL", f"{portal.url}/oauth/token/")


@pytest.mark.usefixtures("oauth")
def test_a_token_is_renewed_when_it_expires(portal: Sandbox) -> None:
    application = portal.application()
    pair = application.grant()
    token = BitrixToken(
        domain=urlsplit(portal.url).netloc,
        auth_token=pair["access_token"],
        refresh_token=pair["refresh_token"],
        bitrix_app=BitrixApp(client_id=application.client_id, client_secret=application.client_secret),
    )
    assert token.call_method("crm.deal.get", {"id": 1})["result"]["ID"] == "1"
    application.expire_access_tokens()

    assert token.call_method("crm.deal.get", {"id": 2})["result"]["ID"] == "2"
    assert application.renewals == 1
    assert token.refresh_token != pair["refresh_token"]
    assert application.valid_refresh_token({"refresh_token": token.refresh_token})


@pytest.mark.usefixtures("oauth")
def test_the_authorization_server_refuses_as_the_sdk_knows_it(portal: Sandbox) -> None:
    application = portal.application()
    pair = application.grant()
    own = {"client_id": application.client_id, "client_secret": application.client_secret}

    with pytest.raises(BitrixOauthWrongClient):
        BitrixApp(**{**own, "client_id": "local.000000000000.00000000"}).refresh_oauth_token(pair["refresh_token"])
    with pytest.raises((BitrixOAuthInvalidClient, BitrixAPIError), match=r"(?i)invalid.client"):
        BitrixApp(**{**own, "client_secret": "wrong"}).refresh_oauth_token(pair["refresh_token"])
    with pytest.raises(BitrixOAuthInvalidGrant):
        BitrixApp(**own).refresh_oauth_token("of another application")


@pytest.mark.usefixtures("oauth")
def test_a_code_is_exchanged_for_a_pair_that_the_sdk_misses_its_end_in(portal: Sandbox) -> None:
    """A difference between the SDK and the documentation, whose answer to a code has no ``expires`` ("Step 2")."""
    application = portal.application()
    app = BitrixApp(client_id=application.client_id, client_secret=application.client_secret)

    with pytest.raises(RenewedOAuth.ValidationError, match="expires"):
        app.get_oauth_token(application.authorize_code())
    assert portal.calls[-1].status == 200
