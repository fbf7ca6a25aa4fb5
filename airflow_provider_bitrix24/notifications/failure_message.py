"""A message about a failure, for ``Bitrix24Notifier``."""

from __future__ import annotations

#: What failed, where and why, with a link to its log: as the ``message`` of a notifier, for ``on_failure_callback`` of
#: a task or a DAG, and for deadlines. The context of a deadline has no task, and ``dag_run`` is a plain object there.
bitrix24_failure_message = """\
{%- if deadline is defined -%}
DAG {{ dag_run.dag_id }} has missed a deadline
{%- elif exception is defined or reason is not defined -%}
Task {{ ti.task_id }}{% if ti.map_index >= 0 %}[{{ ti.map_index }}]{% endif %} of DAG {{ ti.dag_id }} failed
{%- else -%}
DAG {{ dag_run.dag_id }} failed
{%- endif %}
Run: {{ dag_run.run_id or dag_run.dag_run_id }}
{%- if deadline is not defined and (exception is defined or reason is not defined) %}
Try: {{ ti.try_number }} of {{ ti.max_tries + 1 }}
{%- endif %}
{%- if exception is defined and exception %}
Error: {{ exception | string | truncate(2000) }}
{%- elif reason is defined %}
Reason: {{ reason }}
{%- endif %}
{%- if ti is defined and ti.log_url is defined %}
[url={{ ti.log_url }}]Log[/url]
{%- endif %}"""
