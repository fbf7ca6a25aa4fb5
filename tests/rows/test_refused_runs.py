"""A run whose rows are all refused, in words that leave open what was done: the portal did answer, and that is said."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from tests.operators.context import context


@pytest.mark.parametrize("max_failures", [0, None])
def test_a_refusal_is_not_called_a_lost_answer(max_failures, portal, connection):
    # Without who is responsible for it.
    call = {"OWNER_ID": 1, "OWNER_TYPE_ID": 2, "TYPE_ID": 2, "SUBJECT": "Call", "COMMUNICATIONS": [{"VALUE": "+7"}]}
    task = Bitrix24BulkWriteOperator(
        task_id="task", method="crm.activity.add", max_failures=max_failures,
        rows=[{"fields": call}],
    )  # fmt: skip
    with pytest.raises(AirflowFailException) as caught:
        task.execute(context())
    assert "got an answer" not in str(caught.value)
    assert "The field RESPONSIBLE_ID is not defined or invalid." in str(caught.value)
    if max_failures is None:
        assert "the answer of no row says whether it was done" in str(caught.value)
