"""What the log of a failed task says on lines of their own: what to do, and which object and connection it is about."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import Any

import pytest

from airflow_provider_bitrix24.operators.crm import Bitrix24DeleteItemOperator, Bitrix24UpdateItemOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.operators.payment_items import Bitrix24DeletePaymentProductOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24Operator
from tests.operators.context import context


@pytest.mark.parametrize(
    ("operator", "arguments", "hint", "about"),
    [
        (Bitrix24DeletePaymentOperator, {"payment_id": 999_999}, "the id is not the number", "payment_id 999999"),
        (Bitrix24DeleteItemOperator, {"entity_type_id": "deal", "item_id": 999_999}, "crm.item.list gives the ids",
         "entity_type_id 'deal', item_id 999999"),
        (Bitrix24UpdateItemOperator, {"entity_type_id": "deal", "item_id": 3, "fields": {"titel": "x"}},
         "did you mean title", "entity_type_id 'deal', item_id 3"),
        (Bitrix24DeletePaymentProductOperator, {"item_id": "None"}, "it has no value", "item_id 'None'"),
        (Bitrix24Operator, {"method": "batch"}, "use Bitrix24BatchOperator", "method 'batch'"),
    ],
)  # fmt: skip
def test_a_failure_is_logged_with_what_to_do_first_and_with_what_it_is_about(
    operator: Any, arguments: dict[str, Any], hint: str, about: str, portal, connect, all_output
):
    connect(conn_id="crm_prod")
    templates = {
        name: f"{{{{ {name} }}}}" if name in ("item_id", "method") else value for name, value in arguments.items()
    }
    made = operator(task_id="task", bitrix24_conn_id="crm_prod", **templates)
    # As templates come out: what is wrong in the DAG file itself fails when that is parsed.
    vars(made).update(arguments)
    with pytest.raises(Exception, match=hint[:10]):
        made.execute(context())
    said = all_output.printed + all_output.records
    # The portal is not known where something is wrong before.
    place = "crm_prod" if "has no value" in hint else f"crm_prod ({portal.url})"
    parts = (f"What to do: {hint}", f"It failed with the connection {place}", f"It was about {about}", "What failed: ")
    assert sorted(parts, key=said.index) == list(parts)


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Bitrix24DeletePaymentOperator, {"payment_id": 999_999}),
        (Bitrix24Operator, {"method": "crm.deal.productrows.set", "method_params": {"id": 1, "rows": ["x"]}}),
        (Bitrix24DeletePaymentProductOperator, {"item_id": 999_999}),
        (Bitrix24UpdateItemOperator, {"entity_type_id": 180, "item_id": 3, "fields": {"title": "x"}}),
    ],
)
def test_no_line_is_longer_than_airflows_page_shows(operator, arguments, portal, connection, all_output):
    with pytest.raises(Exception, match=r"\w") as caught:
        operator(task_id="task", **arguments).execute(context())
    said = all_output.printed + all_output.records
    # Each ends where Airflow 3 names the logger, or with the line.
    pattern = r"(?:What to do|It failed with|It was about|What failed)\b.*?(?=\s+\[airflow|\s*$)"
    firsts = dict.fromkeys(re.findall(pattern, said, re.MULTILINE))
    assert len(firsts) == 4
    assert max(map(len, firsts)) <= 80
    hint, *_, failed = firsts
    whole = str(caught.value)
    for first in (hint.removeprefix("What to do: "), failed.removeprefix("What failed: ")):
        rest = (
            whole.partition(first)[2].partition(" (request ")[0].partition(f": {hint.removeprefix('What to do: ')}")[0]
        )
        for line in wrap(rest, 80, break_long_words=False, break_on_hyphens=False):
            assert line in said


def test_a_limit_is_logged_so_too(portal, connect, all_output):
    connect(conn_id="crm_prod")
    portal.fault("operation_time_limit", times=None)
    with pytest.raises(Exception, match="OPERATION_TIME_LIMIT"):
        Bitrix24DeletePaymentOperator(task_id="task", bitrix24_conn_id="crm_prod", payment_id=1001).execute(context())
    for part in (f"It failed with the connection crm_prod ({portal.url})", "It was about payment_id 1001"):
        assert part in all_output.printed + all_output.records
