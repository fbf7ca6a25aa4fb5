"""The official SDK's typed methods, carried by our client."""

from __future__ import annotations

import sys

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, Forbidden, NotFound
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.hooks.sdk import SdkToken

if sys.version_info < (3, 11):
    pytest.skip("b24pysdk cannot be imported by Python 3.10", allow_module_level=True)


@pytest.fixture
def hook(connection):
    return Bitrix24Hook()


def test_typed_methods_of_several_scopes_answer(portal, hook):
    sdk = hook.get_sdk_client()
    assert sdk.crm.deal.get(bitrix_id=1).result["ID"] == "1"
    assert sdk.user.current().result["ID"] == str(portal.admin.id)
    assert sdk.server.time().result
    assert "crm" in sdk.scope().result
    assert [call.method.lower() for call in portal.calls] == ["crm.deal.get", "user.current", "server.time", "scope"]


def test_one_connection_carries_all_calls_with_our_user_agent(portal, hook):
    sdk = hook.get_sdk_client()
    for deal in (1, 2, 3):
        assert sdk.crm.deal.get(bitrix_id=deal).result["ID"] == str(deal)
    assert portal.connections == 1
    assert {call.headers["user-agent"].partition("/")[0] for call in portal.calls} == {"airflow-provider-bitrix24"}


@pytest.mark.parametrize("way", ["as_list", "as_list_fast"])
def test_a_list_is_whole_and_in_order(way, portal, hook):
    portal.add_deals(120 - len(list(hook.get_conn().list("crm.deal.list"))))
    request = hook.get_sdk_client().crm.deal.list(select=["ID", "TITLE"])
    ids = [int(row["ID"]) for row in getattr(request, way)().result]
    assert len(ids) == 120
    assert ids == sorted(set(ids))


def test_a_descending_list_is_turned_and_cut(portal, hook):
    rows = SdkToken(hook.get_conn()).call_list_fast("crm.deal.list", {"select": ["ID"]}, descending=True, limit=3)
    ids = [int(row["ID"]) for row in rows["result"]]
    assert ids == sorted((int(row["ID"]) for row in hook.get_conn().list("crm.deal.list")), reverse=True)[:3]


def test_rows_in_a_wrapper_come_without_it(portal, hook):
    rows = list(hook.get_sdk_client().crm.item.list(entity_type_id=2).as_list_fast().result)
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert len(rows) == 30


def test_a_batch_keeps_keys_and_tells_errors(portal, hook):
    sdk = hook.get_sdk_client()
    answer = sdk.call_batch({"here": sdk.crm.deal.get(bitrix_id=1), "gone": sdk.crm.deal.get(bitrix_id=99999)}).result
    assert answer.result["here"]["ID"] == "1"
    assert answer.result_error["gone"] == {"error": "", "error_description": "Not found"}


def test_more_than_fifty_go_in_several_requests(portal, hook):
    sdk = hook.get_sdk_client()
    portal.reset_calls()
    answer = sdk.call_batches([sdk.crm.deal.get(bitrix_id=1 + number % 30) for number in range(120)]).result
    assert [row["ID"] for row in answer.result] == [str(1 + number % 30) for number in range(120)]
    assert portal.requests == 3


def test_a_reference_that_an_author_wrote_into_a_batch_is_kept(portal, hook):
    token = SdkToken(hook.get_conn())
    answer = token.call_batch({"a": ("crm.deal.get", {"ID": 7}), "b": ("crm.deal.get", {"ID": "$result[a][ID]"})})
    assert answer["result"]["result"]["b"]["ID"] == "7"


def test_fifty_one_in_one_batch_are_refused_before_anything_is_sent(portal, hook):
    with pytest.raises(ConfigurationError, match=r"51 methods in one batch.*call_batches"):
        SdkToken(hook.get_conn()).call_batch([("server.time", {})] * 51)
    assert portal.requests == 0


def test_version_three_is_used_for_the_methods_that_have_it(portal, hook):
    sdk = hook.get_sdk_client(version=3)
    assert sdk.tasks.task.list().result["items"]
    assert portal.calls[-1].path.startswith("/rest/api/")


def test_a_limit_is_waited_for_and_errors_are_ours(portal, connect):
    connect(portal.clerk)
    sdk = Bitrix24Hook().get_sdk_client()
    with pytest.raises(NotFound):
        _ = sdk.crm.deal.get(bitrix_id=99999).result
    payment_id = portal.add_payment(1)
    with pytest.raises(Forbidden) as caught:
        SdkToken(Bitrix24Hook().get_conn()).call_method("crm.item.payment.delete", {"id": payment_id})
    assert isinstance(caught.value, Bitrix24Error)
    assert portal.payment(payment_id)


def test_the_token_shows_no_secret(portal, hook):
    token = SdkToken(hook.get_conn())
    assert portal.admin.code not in f"{token} {token!r} {token.domain}"
