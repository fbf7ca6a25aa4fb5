"""What a fault makes of an answer: something else in its place, or the same one spoiled; the wire is `web.delivery`."""

from __future__ import annotations

import json

from airflow_provider_bitrix24.sandbox.methods.registry import Refusal
from airflow_provider_bitrix24.sandbox.protocol import dispatch
from airflow_provider_bitrix24.sandbox.protocol.answers import Answer, html_answer
from airflow_provider_bitrix24.sandbox.state.faults import Fault
from airflow_provider_bitrix24.sandbox.state.portal import PortalState


def query_limit() -> Refusal:
    return Refusal("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)


def as_refusal(fault: Fault, portal: PortalState) -> Refusal | None:
    """The portal's own error that a fault of this kind is, if it is one."""
    match fault.kind:
        case "query_limit":
            return query_limit()
        case "operation_time_limit":
            return dispatch.operation_time_limit()
        case "overload":
            status = portal.settings.auth_status_of("OVERLOAD_LIMIT")
            return Refusal("OVERLOAD_LIMIT", "REST API is blocked due to overload.", status)
        case "error":
            code = fault.options["code"]
            return Refusal(code, fault.options["description"], fault.options["status"])
    return None


def in_place(fault: Fault) -> Answer:
    """The answer of a method that did not run."""
    options = fault.options
    match fault.kind:
        case "body":
            return Answer(options["status"], options["body"], options["content_type"])
        case "redirect":
            return Answer(options["status"], b"", "text/html", {"location": options["location"]})
        case "slow":
            return html_answer(504)
    return html_answer(options.get("status", 502), options.get("title"))


def spoiled(answer: Answer, fault: Fault) -> Answer:
    """The answer of a method that ran, with another body or in another charset."""
    options = fault.options
    match fault.kind:
        case "status_after":
            return html_answer(options["status"], options["title"])
        case "body":
            return Answer(options["status"], options["body"], options["content_type"])
        case "wrong_charset":
            return _in_charset(answer, options["charset"], options["declared"] or options["charset"])
    return answer


def _in_charset(answer: Answer, charset: str, declared: str) -> Answer:
    """The JSON in another charset, with a text in it that is not ASCII, so that it is not UTF-8 by chance."""
    body = json.loads(answer.body)
    for text in ("Готово", "déjà vu"):
        try:
            encoded = json.dumps({**body, "notice": text}, ensure_ascii=False).encode(charset)
        except UnicodeEncodeError:
            continue
        return Answer(answer.status, encoded, f"application/json; charset={declared}")
    return answer
