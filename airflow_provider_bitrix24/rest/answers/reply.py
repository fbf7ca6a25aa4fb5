"""
Bytes and a status become a result or one exception. The only place that reads error codes.

Rules, in this order: a JSON body with the key ``error`` is an error, whatever its value and the status; with the key
``result`` it is a success, whatever the status; anything else is not an answer of the portal and proves nothing.
The class of an error depends on its code, then on an exact text, then on the status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Invalid,
    RestError,
    ServerFault,
    Unauthorized,
    UnprovenLimit,
)
from airflow_provider_bitrix24.rest.answers import error_codes
from airflow_provider_bitrix24.rest.message_parts import one_line
from airflow_provider_bitrix24.rest.scrub import Scrub

#: Most characters of a portal's text, and of its code, that go into a message.
TEXT_LENGTH, CODE_LENGTH = 200, 100
#: How many times the size of the largest answer its values may take in memory.
_MEMORY_FACTOR = 8
#: Bytes that CPython takes at most for what a byte of JSON stands for: an empty list, an object with one key, a number
#: and its place in a list, half a text. The largest first.
_MEMORY_BYTES = {b"{": 192, b"[": 64, b",": 36, b'"': 25}
#: Statuses of other servers on the way that may pass by themselves.
_PASSING = frozenset({408, 425, 429})


# Not frozen: a batch makes one for each command, and frozen ones take four times as long to make.
@dataclass(slots=True)
class Reply:
    """
    A successful answer.

    :param result: what the method gives: any JSON value; an empty object and an empty list are both ``[]``.
    :param total: number of rows of the whole list, where the method counts.
    :param next: offset of the next page, where there is one.
    :param time: what the portal says of the call's time, ``{"duration": 0.04, "operating": 0.1, …}``; may be empty.
    :param request_id: what we sent as ``X-Request-ID``.
    :param size: bytes of the answer.
    :param repeated: an earlier attempt of the same call lost its answer, and may have done the work.
    """

    result: Any
    total: int | None = None
    next: int | None = None
    time: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    size: int = 0
    repeated: bool = False


def read_reply(
    status: int,
    content_type: str,
    body: bytes,
    *,
    method: str,
    request_id: str | None = None,
    must_be_true: bool = False,
    scrub: Scrub = str,
    max_mib: int | None = None,
) -> Reply:
    """
    Turn an answer into a :class:`Reply`.

    :param content_type: the header as it came; its charset counts only where the body is not UTF-8.
    :param must_be_true: whether the method's success is exactly ``true``.
    :param scrub: takes secrets out of the portal's texts before they enter a message.
    :param max_mib: the largest answer that is taken; one whose many small values would take more than eight times as
        much memory is not read either.
    :raises RestError: the portal said no.
    :raises AnswerLost: the body is not an answer of the portal, or too large to be read.
    """
    if max_mib is not None and _is_above(max_mib * _MEMORY_FACTOR * 1024 * 1024, body):
        raise AnswerLost(
            f"the answer has so many values that it would take more than {max_mib * _MEMORY_FACTOR} MiB of memory",
            method=method,
            status=status,
            request_id=request_id,
            too_much=True,
            retryable=False,
            next_step="ask for fewer rows and fields, or raise the extra `max_response_mib`",
        )
    answer = _decoded(body, content_type)
    if isinstance(answer, dict) and "error" in answer:
        raise read_error(answer, method=method, status=status, request_id=request_id, scrub=scrub)
    if isinstance(answer, dict) and "result" in answer:
        return reply_of(
            answer["result"],
            answer.get("total"),
            answer.get("next"),
            answer.get("time"),
            method=method,
            status=status,
            request_id=request_id,
            must_be_true=must_be_true,
            size=len(body),
        )
    kind = UnprovenLimit if status == HTTPStatus.TOO_MANY_REQUESTS else AnswerLost
    raise kind(
        f"HTTP {status}, {_kind_of_body(answer, body, content_type, scrub)} instead of the portal's answer",
        method=method,
        status=status,
        request_id=request_id,
        too_much=status == 413,
        retryable=_may_pass(status),
        next_step=_hint_for(status),
    )


def _is_above(memory_bytes: int, body: bytes) -> bool:
    """Whether the values of a body may take more memory than this; counted, so that nothing is made of them."""
    counted, left = len(body), len(body)
    # The rarest first, which are counted fastest: what is left is mostly too little, whatever it is.
    for sign, each in _MEMORY_BYTES.items():
        if counted + left * each <= memory_bytes:
            return False
        number = body.count(sign)
        counted, left = counted + number * each, left - number
    return counted > memory_bytes


def _may_pass(status: int | None) -> bool:
    return status is None or not 400 <= status < 500 or status in _PASSING


def _hint_for(status: int | None) -> str:
    if status == 413:
        return "send less at once: a server on the way refuses requests of this size"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "the portal's limits refuse this: give the task retries that last ten minutes, or ask less often"
    if not _may_pass(status):
        return "check the connection's Portal (host), and the proxies on the way"
    return (
        "if this goes on, open the portal in a browser (it may be under maintenance, or a proxy may be answering in "
        "its place)"
    )


def reply_of(
    result: Any,
    total: Any,
    next_: Any,
    time: Any,
    *,
    method: str,
    status: int | None,
    request_id: str | None,
    must_be_true: bool,
    size: int = 0,
) -> Reply:
    """
    Make a reply of the parts of a good answer, or of one command's parts of a batch.

    :raises Invalid: the result is not ``true`` and must be.
    """
    if must_be_true and result is not True:
        # Old portals answer every refusal in this way.
        raise Invalid(
            "the portal refused without a reason (its result is not true)",
            method=method,
            status=status,
            request_id=request_id,
            cause_known=False,
            ran="no" if result is False else "unknown",
        )
    return Reply(result, whole(total), whole(next_), time if isinstance(time, dict) else {}, request_id, size)


def read_error(
    error: Mapping[str, Any], *, method: str, status: int | None, request_id: str | None, scrub: Scrub = str
) -> RestError:
    """Return the exception of an error body or entry of ``result_error``, ``{"error": …, "error_description": …}``."""
    code, description = _code_and_text(error)
    # A code is a word; anything longer is text that came in the wrong place.
    code, description = _cut(scrub(one_line(code)), CODE_LENGTH), scrub(one_line(description))
    rule = error_codes.find_rule(code, description, method=method)
    # Cut last: half a secret would not be recognized, and the end of a long text may be what a rule looks for.
    description = _cut(description, TEXT_LENGTH)
    kind: type[RestError]
    if rule is not None:
        kind = rule.error
    elif (status or 0) >= 500 and code.upper() not in error_codes.GENERIC_CODES:
        kind = ServerFault
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        # A limit of a server on the way, or one of the portal that we do not know.
        kind = UnprovenLimit
    else:
        kind = Invalid
    if code.upper().endswith("ACCESSDENIEDEXCEPTION") and status == 401:
        # REST 3.0 has one code for missing rights and for a webhook or token that is not accepted (server source).
        kind = Unauthorized
    text = f' "{description}"' if description else ""
    facts = {"referred": True} if rule is not None and rule.referred else {}
    return kind(
        f"{code or 'error without a code'}{f' (HTTP {status})' if status else ''}{text}",
        method=method,
        code=code,
        description=description,
        status=status,
        request_id=request_id,
        next_step=rule.next_step if rule else _hint_for(status) if kind is UnprovenLimit else "",
        cause_known=rule is not None and not rule.ambiguous,
        paid=rule is not None and rule.paid,
        ran=rule.ran if rule and rule.ran else "unknown" if code.upper() in error_codes.GENERIC_CODES else None,
        **facts,
    )


def _code_and_text(error: Mapping[str, Any]) -> tuple[str, str]:
    code, text = error["error"], error.get("error_description")
    if isinstance(code, Mapping):  # REST 3.0
        fields = code.get("validation")
        details = [
            f"{entry.get('field')}: {entry.get('message')}"
            for entry in (fields if isinstance(fields, list) else [])
            if isinstance(entry, Mapping)
        ]
        return _as_text(code.get("code")), "; ".join([_as_text(code.get("message")), *details])
    argument = error.get("argument")
    return _as_text(code), f"{_as_text(text)} (argument {_as_text(argument)})" if argument else _as_text(text)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def whole(value: Any) -> int | None:
    """Read a whole number, also from text; None for anything else."""
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _decoded(body: bytes, content_type: str) -> Any:
    """Return the JSON value in ``body``; None where there is none: ``null`` is not an answer either."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Not Python's own escapes, which are not charsets and warn about what they do not know.
        charset = re.search(r"charset\s*=\s*[\"']?(?!\w*escape)([\w.:-]+)", content_type, re.IGNORECASE)
        try:
            text = body.decode(charset[1]) if charset else ""
        except (LookupError, ValueError):
            return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _kind_of_body(answer: Any, body: bytes, content_type: str, scrub: Scrub) -> str:
    if not body.strip():
        return "an empty body"
    if answer is not None or body.strip() == b"null":
        return "other JSON"
    text = body[:20_000].decode("utf-8", "replace")
    if "html" in content_type.lower() or re.search(r"<(html|!doctype|head|title)\b", text, re.IGNORECASE):
        title_tag = re.search(r"<title[^>]*>(.*?)</title", text, re.IGNORECASE | re.DOTALL)
        title = _cut(scrub(one_line(title_tag[1])), TEXT_LENGTH) if title_tag else ""
        return f'an HTML page titled "{title}"' if title else "an HTML page"
    return "a body that is not JSON"
