"""Parts of messages: a value cut to a readable length, and the name that was probably meant."""

from __future__ import annotations

import difflib
import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: Most characters of a value that a message shows.
PREVIEW_LENGTH = 60


#: A further name is offered only where it is about as like the misspelt one: 0.09 is a sign more in a name of ten.
_ABOUT_AS_NEAR = 0.09
_TAG = re.compile(r"<[^<>]*>")
_BB_NAMES = (
    "b|i|u|s|p|br|url|img|user|chat|send|put|call|color|size|font|quote|code|list|table|tr|td|th|icon|attach|disk"
)
#: An opening one not after a word: ``$result[b]`` and ``filter[s]`` are none.
_BB_CODE = re.compile(
    rf"\[/(?:{_BB_NAMES})\]|(?<!\w)\[(?:{_BB_NAMES})(?:[=\s][^\[\]]*)?\]",
    re.IGNORECASE,
)
#: What Airflow's page folds a log by.
_LOG_GROUP = re.compile(r"(?:::(?=(?:end)?group::)|##(?=\[(?:end)?group\]))", re.IGNORECASE)
#: Controls, signs that turn the direction of a text or cannot be seen, and characters of nobody.
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})


def one_line(text: str) -> str:
    """
    Return a text of a portal as one line without markup.

    Texts may hold ``<br>`` and BB codes. A line break or a ``::group::`` would let a portal forge or fold log lines,
    and a sign such as U+202E would turn what follows round.
    """
    text = _BB_CODE.sub(" ", html.unescape(_TAG.sub(" ", text)))
    text = "".join(
        " " if unicodedata.category(character) in _UNSEEN else character
        for character in text.encode("utf-8", "replace").decode()
    )
    return _LOG_GROUP.sub("", " ".join(text.split()))


def preview(value: Any, scrub: Callable[[str], str] = str) -> str:
    """
    Return ``value`` as Python writes it, cut after :data:`PREVIEW_LENGTH` characters.

    :param scrub: takes secrets out of what a portal sent.
    """
    text = scrub(repr(value))
    return text if len(text) <= PREVIEW_LENGTH else f"{text[: PREVIEW_LENGTH - 1]}…"


def did_you_mean(name: str, known: Iterable[str] | Mapping[str, Iterable[str]], otherwise: str = "") -> str:
    """
    Return a question with the name that is nearest to a misspelt one, and up to two that are about as near: ``did you
    mean TITLE or TYPE_ID?``.

    :param known: the names; or spellings, each with the names that it stands for.
    :param otherwise: what to return where none is near.
    """
    names = known if isinstance(known, Mapping) else {spelling: (spelling,) for spelling in known}
    spellings = [name] if name in names else difflib.get_close_matches(name, names, n=3)
    likeness = {spelling: difflib.SequenceMatcher(None, spelling, name).ratio() for spelling in spellings}
    spellings = [near for near in spellings if likeness[near] >= max(likeness.values()) - _ABOUT_AS_NEAR]
    near = dict.fromkeys(meant for spelling in spellings for meant in names[spelling])
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def is_slip(written: str, meant: str) -> bool:
    """Whether two letters at most are wrong, missing, too many or changed about; in short names one, or none other."""
    if len(meant) < 4 or abs(len(written) - len(meant)) > 2:
        return False
    if re.sub(r"\d", "", written) == re.sub(r"\d", "", meant):
        # ADDRESS_1 is not a slip of ADDRESS_2.
        return False
    most = 1 if len(meant) < 7 else 2
    return _distance(written, meant) <= most and (len(meant) > 4 or set(written) == set(meant))


def _distance(one: str, other: str) -> int:
    """Letters to change, add, leave out or exchange with their neighbour (Damerau)."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, beside in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != beside))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == beside:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
