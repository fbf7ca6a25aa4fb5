"""An answer before it goes over the wire, and the JSON of results and refusals."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from airflow_provider_bitrix24.sandbox.methods.registry import Refusal

JSON_TYPE = "application/json; charset=utf-8"
#: Made once: `json.dumps` makes one for each answer.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
HTML_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    #: What the commands of a batch take, as long as the answer is held back.
    command_seconds: float = 0.0


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, _JSON.encode(body).encode(), headers=headers or {})


def html_answer(status: int, title: str | None = None) -> Answer:
    """What a proxy in front of the portal says: a page for people."""
    if title is None:
        title = f"{status} {HTTPStatus(status).phrase}" if status != 200 else "Site is under maintenance"
    safe = html.escape(title)
    page = f"<!DOCTYPE html>\n<html><head><title>{safe}</title></head><body><h1>{safe}</h1><hr>nginx</body></html>\n"
    return Answer(status, page.encode(), HTML_TYPE)


def error_body(refusal: Refusal, zero_code: str | int) -> dict[str, Any]:
    """A refusal of REST v2; the portal's own numeric codes are sent as this portal sends them."""
    code = refusal.code
    if isinstance(zero_code, int) and isinstance(code, str) and code.isdigit():
        code = int(code)
    return {"error": code, "error_description": refusal.description, **refusal.extra}
