"""Texts for people: BB codes that came with a value are shown as they are, and a text that is too long is cut."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from airflow_provider_bitrix24.rest.scrub import MASK

#: Longer messages are cut by the portal ("Chats and notifications": 20,000 characters).
MAX_CHARACTERS = 20_000

#: Nothing is seen of it, and no BB code goes on behind it. The documentation has no way of its own to escape one.
_BREAK = "\u200b"
#: What begins a BB code or, at the beginning of a line, a quotation.
_WEBHOOK = re.compile(r"(/rest/[0-9]+/)[^/\s\"'<>\]]{5,}", re.ASCII)
_MARKUP = re.compile(r"\[(?=[/*a-z])|^(?=>>)", re.IGNORECASE | re.MULTILINE)


def escaped(value: Any) -> Any:
    """
    Return a value whose text holds no BB code: ``[user=all]`` in an error message would call everybody.

    A value without any is returned as it is; so is one that a template marks as ``| safe``.
    """
    if isinstance(value, Markup):
        return str(value)
    text = str(value)
    harmless = _MARKUP.sub(lambda found: f"{found[0]}{_BREAK}", text)
    return value if harmless == text else harmless


class EscapedValues:
    """For what has a templated text: BB codes of the text itself count, those of the values in it do not."""

    def render_template(
        self, content: Any, context: Any, jinja_env: Environment | None = None, seen_oids: set[int] | None = None
    ) -> Any:
        # Here and not in get_template_env, which Airflow asks of the mapped task and not of its instances.
        env = jinja_env or self.get_template_env()  # type: ignore[attr-defined]
        if env.finalize is not escaped:
            env = env.overlay(finalize=escaped)
        return super().render_template(content, context, env, seen_oids)  # type: ignore[misc]


def without_webhooks(text: str) -> str:
    """Return a text without the codes of webhooks in addresses, of whatever portal they are."""
    return _WEBHOOK.sub(rf"\1{MASK}", text)


def shortened(text: str, most: int = MAX_CHARACTERS) -> str:
    """Return a text of at most ``most`` characters, whose last words say how long it was if it had to be cut."""
    if len(text) <= most:
        return text
    ending = f"… (cut: {len(text)} characters)"
    return text[: most - len(ending)] + ending


def first_line(text: str, most: int = 200) -> str:
    """Return the first line of a text that is not blank, cut after ``most`` characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= most else f"{line[: most - 1]}…"
