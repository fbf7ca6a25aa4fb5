"""Sets of words that tests write into a portal: a slip in one would make a test green for the wrong reason."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar, cast

#: Scopes that a new webhook has.
ALL_SCOPES = (
    "crm",
    "sale",
    "salescenter",
    "pay_system",
    "task",
    "tasks",
    "user",
    "department",
    "im",
    "userfieldconfig",
    "telephony",
    "catalog",
    "disk",
    "lists",
)

#: Every scope of the documentation, as ``scope`` lists them when asked for all.
DOCUMENTED_SCOPES = (
    *("biconnector", "bizproc", "calendar", "catalog", "crm", "department", "disk", "humanresources", "im", "imbot"),
    *("imopenlines", "lists", "log", "main", "pay_system", "placement", "sale", "salescenter", "socialnetwork"),
    *("sonet_group", "task", "tasks", "telephony", "timeman", "user", "user.userfield", "user_basic", "user_brief"),
    "userfieldconfig",
)

#: Features of the offline queue: reserving rows, and queues by ``auth_connector``.
PLAN_FEATURES = ("rest_offline_extended", "rest_auth_connector")

#: Read CRM objects, change CRM objects, change orders (and so payments).
RIGHTS = ("read", "change", "change_orders")

_Change = TypeVar("_Change", bound=Callable[..., Any])


def _of_words(change: _Change) -> _Change:
    """The same change of a set, of known words only; what it takes out may be a slip as well."""

    @functools.wraps(change)
    def of_known_words(self: KnownWords, *given: Any) -> Any:
        return change(self, *map(self._known, given))

    return cast(_Change, of_known_words)


def _of_a_word(change: _Change) -> _Change:
    @functools.wraps(change)
    def of_a_known_word(self: KnownWords, word: Any) -> Any:
        return change(self, *self._known((word,)))

    return cast(_Change, of_a_known_word)


class KnownWords(set[str]):
    """
    A set that takes, and lets be taken out, only words of :attr:`known`.

    :raises ValueError: names the word that is not known, and those that are.
    """

    word: ClassVar[str]
    known: ClassVar[tuple[str, ...]]

    def __init__(self, words: Iterable[str] = ()) -> None:
        super().__init__(self._known(words))

    @classmethod
    def _known(cls, words: Any) -> Iterable[str]:
        if isinstance(words, str) or not isinstance(words, Iterable):
            raise ValueError(f"{cls.word}s={words!r} is not valid: give a set, such as {{{cls.known[0]!r}}}.")
        checked = tuple(words)
        for word in checked:
            if word not in cls.known:
                raise ValueError(f"There is no {cls.word} {word!r}: choose from {', '.join(cls.known)}.")
        return frozenset(checked)

    add, discard, remove = _of_a_word(set.add), _of_a_word(set.discard), _of_a_word(set.remove)
    update, __ior__ = _of_words(set.update), _of_words(set.__ior__)
    difference_update, __isub__ = _of_words(set.difference_update), _of_words(set.__isub__)
    intersection_update, __iand__ = _of_words(set.intersection_update), _of_words(set.__iand__)
    symmetric_difference_update, __ixor__ = _of_words(set.symmetric_difference_update), _of_words(set.__ixor__)


class Rights(KnownWords):
    """What a user may do."""

    word, known = "right", RIGHTS


class Scopes(KnownWords):
    """What webhooks or an application may be used for: all that a method of the sandbox asks for."""

    word, known = "scope", (*ALL_SCOPES, "user_basic", "user_brief")


class PlanFeatures(KnownWords):
    """What the plan of a portal includes beside REST."""

    word, known = "feature", PLAN_FEATURES


def check_attribute(owner: str, name: str, known: Iterable[str]) -> None:
    """:raises AttributeError: a name much like a known one: Python would take it, and nothing would change."""
    near = difflib.get_close_matches(name, [] if name in known else known, n=1)
    if near:
        raise AttributeError(f"{owner} has no {name!r}: write {near[0]}.")


def check_bool(name: str, value: object) -> None:
    """:raises ValueError: a text such as "no", which Python takes for true."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value!r} is not valid: give True or False.")
