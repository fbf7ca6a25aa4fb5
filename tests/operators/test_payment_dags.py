"""Payments added, changed, listed and deleted by DAGs that Airflow itself runs."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import airflow
import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.list_payments import Bitrix24ListPaymentsOperator, payments_of
from airflow_provider_bitrix24.operators.payment import (
    Bitrix24AddPaymentOperator,
    Bitrix24DeletePaymentOperator,
    Bitrix24GetPaymentOperator,
    Bitrix24PayPaymentOperator,
    Bitrix24UnpayPaymentOperator,
    Bitrix24UpdatePaymentOperator,
)
from airflow_provider_bitrix24.operators.payment_items import (
    Bitrix24AddPaymentDeliveryOperator,
    Bitrix24AddPaymentProductOperator,
    Bitrix24DeletePaymentDeliveryOperator,
    Bitrix24DeletePaymentProductOperator,
    Bitrix24GetPaymentPublicUrlOperator,
    Bitrix24ListPaymentDeliveriesOperator,
    Bitrix24ListPaymentProductsOperator,
    Bitrix24SetPaymentDeliveryOperator,
    Bitrix24SetPaymentProductQuantityOperator,
)
from airflow_provider_bitrix24.operators.rest import Bitrix24Operator
from tests.secrecy import assert_untold

PAYMENT = "crm.item.payment"
DELETE = f"{PAYMENT}.delete"


def empty_dag(name: str, **arguments: Any) -> Any:
    return DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None, **arguments)


def dag_of(name: str, operator: type, **arguments: Any) -> Any:
    with empty_dag(name) as dag:
        operator(task_id="task", **{"retries": 2, **arguments})
    return dag


#: Airflow keeps a task's state over its tries.
HAS_STATE_STORE = tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 3)


# Each operator


def test_a_payment_lives_through_every_operator(portal, connection, run_dag, xcom, all_output):
    with empty_dag("payment_life") as dag:
        add = Bitrix24AddPaymentOperator(
            task_id="add", entity_type_id="deal", entity_id="{{ dag_run.conf['deal'] }}", pay_system_id=110
        )
        named: dict[str, Any] = {"payment_id": add.output}
        (
            add
            >> Bitrix24PayPaymentOperator(task_id="pay", **named)
            >> Bitrix24PayPaymentOperator(task_id="pay_again", **named)
            >> Bitrix24UnpayPaymentOperator(task_id="unpay", **named)
            >> Bitrix24UpdatePaymentOperator(task_id="update", pay_system_id=10, paid="N", **named)
            >> Bitrix24GetPaymentOperator(task_id="get", **named)
            >> Bitrix24ListPaymentsOperator(task_id="list", entity_id="{{ dag_run.conf['deal'] }}")
            >> Bitrix24GetPaymentPublicUrlOperator(task_id="link", **named)
            >> Bitrix24DeletePaymentOperator(task_id="delete", **named)
        )
    run = run_dag(dag, {"deal": 8})
    assert run.state == "success"
    payment = xcom(run, "add")
    result = {name: xcom(run, name) for name in ("pay", "pay_again", "unpay", "update", "delete")}
    assert result == {"pay": True, "pay_again": False, "unpay": True, "update": True, "delete": True}
    assert {**xcom(run, "get"), "accountNumber": "x"} == {
        "id": payment, "accountNumber": "x", "paid": "N", "datePaid": None, "empPaidId": None, "paySystemId": 10,
        "sum": 0, "currency": "USD", "paySystemName": "Bank transfer",
    }  # fmt: skip
    assert xcom(run, "get") in xcom(run, "list")
    assert set(xcom(run, "link")) == {"url", "shortUrl"}
    assert portal.payment(payment) is None
    assert [call.method for call in portal.calls] == [
        f"{PAYMENT}.add", f"{PAYMENT}.update", f"{PAYMENT}.get", f"{PAYMENT}.pay", f"{PAYMENT}.get", f"{PAYMENT}.pay",
        f"{PAYMENT}.get", f"{PAYMENT}.unpay", f"{PAYMENT}.update", f"{PAYMENT}.get", f"{PAYMENT}.list",
        "salescenter.payment.getPublicUrl", DELETE,
    ]  # fmt: skip
    assert portal.calls[0].params == {"entityTypeId": 2, "entityId": 8}
    assert portal.calls[8].params == {"id": payment, "fields": {"paid": "N", "paySystemId": 10}}
    assert_untold(portal.admin.code, all_output)


def test_products_and_deliveries_live_through_every_operator(portal, connection, run_dag, xcom):
    payment = portal.add_payment(3)
    row, first, second = portal.add_product_row(3, price=10, quantity=5), portal.add_delivery(3), portal.add_delivery(3)
    with empty_dag("payment_items") as dag:
        product = Bitrix24AddPaymentProductOperator(task_id="product", payment_id=payment, row_id=row, quantity=2)
        delivery = Bitrix24AddPaymentDeliveryOperator(task_id="delivery", payment_id=payment, delivery_id=first)
        (
            product
            >> Bitrix24SetPaymentProductQuantityOperator(task_id="quantity", item_id=product.output, quantity=4)
            >> Bitrix24ListPaymentProductsOperator(task_id="products", payment_id=payment)
            >> delivery
            >> Bitrix24SetPaymentDeliveryOperator(task_id="other", item_id=delivery.output, delivery_id=second)
            >> Bitrix24ListPaymentDeliveriesOperator(task_id="deliveries", payment_id=payment)
            >> Bitrix24DeletePaymentProductOperator(task_id="no_product", item_id=product.output)
            >> Bitrix24DeletePaymentDeliveryOperator(task_id="no_delivery", item_id=delivery.output)
        )
    run = run_dag(dag)
    assert run.state == "success"
    items = xcom(run, "product"), xcom(run, "delivery")
    assert xcom(run, "products") == [{"id": items[0], "paymentId": payment, "quantity": 4, "rowId": row}]
    assert xcom(run, "deliveries") == [{"id": items[1], "paymentId": payment, "quantity": 1, "deliveryId": second}]
    assert [xcom(run, name) for name in ("quantity", "other", "no_product", "no_delivery")] == [True] * 4
    assert [(call.method.removeprefix(f"{PAYMENT}."), call.params) for call in portal.calls] == [
        ("product.add", {"paymentId": payment, "rowId": row, "quantity": 2}),
        ("product.setQuantity", {"id": items[0], "quantity": 4}),
        ("product.list", {"paymentId": payment}),
        ("delivery.add", {"paymentId": payment, "deliveryId": first}),
        ("delivery.setDelivery", {"id": items[1], "deliveryId": second}),
        ("delivery.list", {"paymentId": payment}),
        ("product.delete", {"id": items[0]}),
        ("delivery.delete", {"id": items[1]}),
    ]


@pytest.mark.parametrize("of_task", [False, True])
def test_payments_of_a_deal_are_deleted_by_a_mapped_task_each(of_task, portal, connection, run_dag, xcom):
    for payment in [row["id"] for row in portal.payments() if row["dealId"] == 4]:
        portal.remove_payment(payment)
    paid, *unpaid = portal.add_payment(4, paid=True), portal.add_payment(4), portal.add_payment(4)
    with empty_dag(f"payments_of_{of_task}".lower()) as dag:
        found = {"method": "crm.item.get", "method_params": {"entityTypeId": 2, "id": 4}, "result_path": "item.id"}
        deal = Bitrix24Operator(task_id="deal", **found).output if of_task else "{{ 2 + 2 }}"
        ids = payments_of(deal, payment_filter={"=paid": "N"}, retries=1)
        Bitrix24DeletePaymentOperator.partial(task_id="delete").expand(payment_id=ids)
    run = run_dag(dag)
    assert run.state == "success"
    assert xcom(run, "payments_of") == unpaid
    assert [xcom(run, "delete", index) for index in (0, 1)] == [True, True]
    assert [row["id"] for row in portal.payments() if row["dealId"] == 4] == [paid]


@pytest.mark.parametrize("which", ["filter", "ids", "template", "task"])
def test_payments_of_many_are_deleted_by_a_mapped_task_each(which, portal, connection, run_dag, xcom):
    deals = portal.add_deals(2, title=f"of {which}")
    wanted = [portal.add_payment(deal) for deal in deals for _ in range(2)]
    paid = portal.add_payment(deals[0], paid=True)
    with empty_dag(f"payments_of_many_{which}") as dag:
        found = {"method": "crm.item.list", "method_params": {"entityTypeId": 2, "filter": {"title": f"of {which}"}}}
        one = Bitrix24Operator(
            task_id="ids", **found, response_filter=lambda result: [row["id"] for row in result["items"]]
        )
        given: dict[str, Any] = {
            "filter": {"deals": {"=title": f"of {which}"}},
            "ids": {"deals": deals},
            "template": {"deals": f"{{{{ {deals} }}}}"},
            "task": {"deals": one.output},
        }[which]
        unpaid = payments_of(**given, payment_filter={"=paid": "N"})
        Bitrix24DeletePaymentOperator.partial(task_id="delete").expand(payment_id=unpaid)
    run = run_dag(dag)
    assert run.state == "success"
    assert xcom(run, "payments_of") == wanted
    assert {portal.payment(payment) for payment in wanted} == {None}
    assert portal.payment(paid) is not None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give one of entity_id, deals and invoices"),
        ({"deals": [1], "invoices": [1]}, "give one of entity_id, deals and invoices"),
        ({"entity_id": 1, "deals": [1]}, "give one of entity_id, deals and invoices"),
        ({"deals": {}}, "entity_filter is empty"),
        ({"deals": ["x"]}, "an id in entity_ids must be a whole number above 0"),
        ({"deals": 13}, "entity_ids is not a list of ids"),
        ({"deals": [1], "entity_type_id": "invoice"}, "entity_type_id is given beside deals"),
        ({"invoices": [1], "entity_type_id": "invoice"}, "entity_type_id is given beside invoices"),
    ],
)
def test_payments_of_nothing_named_fail_when_the_dag_is_parsed(given, message):
    with empty_dag("payments_of_nothing"), pytest.raises(AirflowFailException) as caught:
        payments_of(**given)
    assert message in str(caught.value)


@pytest.mark.parametrize(("most", "state"), [(3, "success"), (2, "failed")])
def test_more_ids_than_airflow_maps_over_say_what_to_do(most, state, portal, connection, run_dag, caplog, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", str(most))
    (deal,) = portal.add_deals(1)
    for _ in range(3):
        portal.add_payment(deal)
    with empty_dag(f"too_long_{most}") as dag:
        Bitrix24DeletePaymentOperator.partial(task_id="delete").expand(payment_id=payments_of(deals=[deal]))
    assert run_dag(dag).state == state
    hint = "give the whole list to one task, such as Bitrix24DeletePaymentsOperator"
    assert (hint in caplog.text) == (state == "failed")


# What goes wrong


@pytest.mark.parametrize(
    ("name", "operator", "arguments"),
    [
        ("missing", Bitrix24PayPaymentOperator, {"payment_id": 999_999}),
        ("missing_item", Bitrix24DeletePaymentProductOperator, {"item_id": 999_999}),
        ("missing_in_bulk", Bitrix24DeletePaymentsOperator, {"payment_ids": [999_999]}),
        ("denied", Bitrix24UpdatePaymentOperator, {"payment_id": "{{ params.payment }}", "paid": True}),
        ("denied_add", Bitrix24AddPaymentOperator, {"entity_id": 1}),
        ("denied_item", Bitrix24AddPaymentProductOperator, {"payment_id": "{{ params.payment }}", "row_id": 1}),
        ("denied_in_bulk", Bitrix24DeletePaymentsOperator, {"payment_ids": "[{{ params.payment }}]"}),
        ("invalid", Bitrix24GetPaymentOperator, {"payment_id": "{{ '3653/1' }}"}),
        ("invalid_kind", Bitrix24AddPaymentOperator, {"entity_id": 1, "entity_type_id": "{{ 'lead' }}"}),
        ("invalid_item", Bitrix24SetPaymentProductQuantityOperator, {"item_id": 1, "quantity": "{{ '1.5' }}"}),
        ("invalid_in_bulk", Bitrix24DeletePaymentsOperator, {"payment_ids": [1, 2], "max_deletions": 1}),
    ],
)
def test_what_no_retry_fixes_fails_on_the_first_try(
    name, operator, arguments, portal, connect, run_dag, task_instance, xcom
):
    connect(portal.clerk)
    payment = portal.add_payment(1)
    dag = dag_of(f"payment_{name}", operator, params={"payment": payment}, **arguments)
    run = run_dag(dag)
    task = task_instance(run, "task")
    assert (run.state, task.state, task.try_number) == ("failed", "failed", 1)
    assert portal.payment(payment)["paid"] == "N"
    assert not [call for call in portal.calls if call.executed and not call.method.endswith(("get", "list", "batch"))]
    if name.startswith("invalid"):
        assert portal.connections == 0
    if name == "denied_in_bulk":
        assert xcom(run, "task", key="bitrix24_rows")["denied"] == 1


@pytest.mark.parametrize(
    ("name", "operator", "expected"),
    [
        ("pay", Bitrix24PayPaymentOperator, True),
        ("delete", Bitrix24DeletePaymentOperator, True),
        ("products", Bitrix24ListPaymentProductsOperator, []),
    ],
)
def test_a_limit_passes_with_a_retry(name, operator, expected, portal, connection, run_dag, xcom, task_instance):
    portal.fault("operation_time_limit", "crm.item.payment.*")
    run = run_dag(dag_of(f"payment_limit_{name}", operator, payment_id=portal.add_payment(1)))
    assert xcom(run, "task") == expected
    assert task_instance(run, "task").try_number == 2


def test_a_limit_between_the_add_and_its_payment_system_adds_no_second_payment(
    portal, connection, run_dag, xcom, task_instance
):
    before = {row["id"] for row in portal.payments()}
    portal.fault("operation_time_limit", f"{PAYMENT}.update")
    run = run_dag(dag_of("payment_system", Bitrix24AddPaymentOperator, entity_id=1, pay_system_id=110))
    (added,) = {row["id"] for row in portal.payments()} - before
    task = task_instance(run, "task")
    if HAS_STATE_STORE:
        assert (task.state, task.try_number, xcom(run, "task")) == ("success", 2, added)
        assert portal.payment(added)["paySystemId"] == 110
    else:
        assert (task.state, task.try_number) == ("failed", 1)
    assert portal.executed(f"{PAYMENT}.add") == 1


# In bulk


@pytest.mark.parametrize("lost", ["the result of another task", "a native template"])
def test_a_filter_that_came_out_as_none_deletes_nothing(lost, portal, connection, run_dag, task_instance, all_output):
    before = portal.payments()
    with empty_dag(f"lost_{len(lost)}", render_template_as_native_obj=True) as dag:
        nothing = Bitrix24Operator(task_id="nothing", method="profile", response_filter=lambda result: None)
        payment_filter = nothing.output if lost == "the result of another task" else "{{ dag_run.conf.get('filter') }}"
        Bitrix24DeletePaymentsOperator(task_id="task", entity_ids=[1, 2], payment_filter=payment_filter, retries=2)
    task = task_instance(run_dag(dag), "task")
    assert (task.state, task.try_number) == ("failed", 1)
    assert "payment_filter is None: it has no value" in all_output.printed + all_output.records
    assert portal.payments() == before


def test_many_are_deleted_and_reported_in_a_small_summary_and_a_report(portal, connection, run_dag, xcom, tmp_path):
    payments = [portal.add_payment(1 + index % 9) for index in range(120)]
    arguments = {"payment_ids": "{{ dag_run.conf['payments'] }}", "report": f"file://{tmp_path}/{{{{ run_id }}}}.jsonl"}
    run = run_dag(dag_of("bulk_delete", Bitrix24DeletePaymentsOperator, **arguments), {"payments": payments})
    result = xcom(run, "task")
    report = result.pop("report")
    assert result == {
        "rows": 120, "deleted": 120, "missing": 0, "denied": 0, "paid": 0, "failed": 0, "unknown": 0, "not_done": 0,
        "outcomes": None,
    }  # fmt: skip
    (file,) = tmp_path.glob("*.jsonl")
    assert report["path"].endswith(file.name)
    assert {row["id"] for row in map(json.loads, file.read_text().splitlines())} == set(payments)
    assert portal.requests == 3


def test_each_mapped_deal_has_its_payments_deleted_in_bulk(portal, connection, run_dag, xcom):
    for deal in (1, 1, 2):
        portal.add_payment(deal)
    with empty_dag("bulk_mapped") as dag:
        Bitrix24DeletePaymentsOperator.partial(task_id="task", payment_filter={"=paid": "N"}).expand(
            entity_ids=[[1], [2]]
        )
    run = run_dag(dag)
    assert run.state == "success"
    assert [xcom(run, "task", index)["deleted"] >= 3 - index - 1 for index in (0, 1)] == [True, True]
    assert not [row for row in portal.payments() if row["dealId"] in (1, 2) and row["paid"] == "N"]


class CrashingOnce(Bitrix24DeletePaymentsOperator):
    """Its first try dies when the second answer has arrived, before that is remembered."""

    def run(self, client: Any, context: Any) -> Any:
        real, answers = client.batch, []

        def batch(*arguments: Any, **options: Any) -> Any:
            answer = real(*arguments, **options)
            answers.append(answer)
            if len(answers) == 2 and context["ti"].try_number == 1:
                raise RuntimeError("the worker is gone")
            return answer

        client.batch = batch
        return super().run(client, context)


@pytest.mark.parametrize("with_report", [True, False])
def test_a_retry_after_a_crash_goes_on_with_what_airflow_or_the_report_remembers(
    with_report, portal, in_turn, run_dag, xcom, task_instance, tmp_path
):
    payments = [portal.add_payment(1 + index % 9) for index in range(200)]
    report = {"report": f"{tmp_path}/r.jsonl"} if with_report else {}
    run = run_dag(dag_of(f"bulk_crash_{with_report}".lower(), CrashingOnce, payment_ids=payments, **report))
    assert run.state == "success"
    assert task_instance(run, "task").try_number == 2
    result = xcom(run, "task")
    if with_report or HAS_STATE_STORE:
        assert (result["deleted"], result["deleted_earlier"]) == (150, 50)
        assert portal.requests == 5
    else:
        assert (result["deleted"], result["missing_or_deleted_earlier"]) == (100, 100)
        assert portal.requests == 6
    assert portal.executed(DELETE) == 200


def test_a_limit_in_the_middle_is_repaired_by_a_retry(portal, connection, run_dag, xcom, task_instance, tmp_path):
    payments = [portal.add_payment(1 + index % 9) for index in range(100)]
    portal.fault("operation_time_limit", DELETE, after=70, times=1)
    arguments = {"payment_ids": payments, "report": f"{tmp_path}/r.jsonl", "on_error": "continue"}
    run = run_dag(dag_of("bulk_limit", Bitrix24DeletePaymentsOperator, **arguments))
    assert run.state == "success"
    assert task_instance(run, "task").try_number == 2
    assert xcom(run, "task")["deleted"] == 100
    assert portal.executed(DELETE) == 100
