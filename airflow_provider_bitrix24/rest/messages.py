"""Parts of messages: a value cut to a readable length, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: Most characters of a value that a message shows.
PREVIEW_LENGTH = 60


def preview(value: Any, scrub: Callable[[str], str] = str) -> str:
    """
    Return ``value`` as Python writes it, cut after :data:`PREVIEW_LENGTH` characters.

    :param scrub: takes secrets out of what a portal sent.
    """
    text = scrub(repr(value))
    return text if len(text) <= PREVIEW_LENGTH else f"{text[: PREVIEW_LENGTH - 1]}…"


def did_you_mean(name: str, known: Iterable[str] | Mapping[str, Iterable[str]], otherwise: str = "") -> str:
    """
    Return a question with up to three names that are nearest to a misspelt one: ``did you mean TITLE or TYPE_ID?``.

    :param known: the names; or spellings, each with the names that it stands for.
    :param otherwise: what to return where none is near.
    """
    names = known if isinstance(known, Mapping) else {spelling: (spelling,) for spelling in known}
    spellings = [name] if name in names else difflib.get_close_matches(name, names, n=3)
    near = dict.fromkeys(meant for spelling in spellings for meant in names[spelling])
    return f"did you mean {' or '.join(near)}?" if near else otherwise
