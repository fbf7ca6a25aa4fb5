"""Events of a portal in a DAG: what is new in a run, what an outgoing webhook sent, and a command for the bindings."""

from __future__ import annotations

from airflow_provider_bitrix24.events.new_events import new_events as new_events
from airflow_provider_bitrix24.events.outgoing_webhook import verified_event as verified_event
