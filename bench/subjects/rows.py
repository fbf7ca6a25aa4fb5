"""The client of this project under what operators of many rows write with."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
from airflow_provider_bitrix24.rows.deletions import PaymentDeleter
from airflow_provider_bitrix24.rows.engine import RowEngine
from airflow_provider_bitrix24.rows.outcomes import Tally
from bench.subjects import ours


class Subject(ours.Subject):
    def delete(self, payment_ids: Sequence[int]) -> int:
        deleter = PaymentDeleter(self._client, missing_ok=False, remembers=True, left=None)
        engine = RowEngine(self._client, deleter, payment_ids, Checkpoint(), Tally(0))
        deleted = sum(outcome.outcome == "deleted" for outcome in engine.outcomes())
        engine.close()
        return deleted
