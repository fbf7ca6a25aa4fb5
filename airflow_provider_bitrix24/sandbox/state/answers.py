"""Answers that a user has set: for methods that the sandbox does not offer, or in place of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import asdict, is_dataclass
from typing import Any


class SetAnswers(MutableMapping[str, Any]):
    """
    Method -> its answer, whatever the case of its name.

    An answer is the ``result``; a list of them is given in turn, and its last one stays; a function gets the parameters
    and returns the result.

    :param check_name: raises ``ValueError`` for a name that no method has.
    """

    def __init__(self, check_name: Callable[[str], None]) -> None:
        self._check_name = check_name
        self._answers: dict[str, tuple[str, Any]] = {}
        self._given: dict[str, int] = {}

    def __setitem__(self, method: str, answer: Any) -> None:
        """:raises ValueError: no such method, or an answer that JSON cannot hold."""
        self._check_name(method)
        if not callable(answer):
            if isinstance(answer, list) and not answer:
                raise ValueError(f"The answers of {method} are an empty list: write [[]] for a result that is one.")
            for part in answer if isinstance(answer, list) else [answer]:
                if not callable(part):
                    _check_json(method, part)
        self._answers[method.lower()] = (method, answer)
        self._given[method.lower()] = 0

    def __getitem__(self, method: str) -> Any:
        return self._answers[method.lower()][1]

    def __delitem__(self, method: str) -> None:
        del self._answers[method.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._answers.values())

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, method: object) -> bool:
        return isinstance(method, str) and method.lower() in self._answers

    def result(self, method: str, params: Mapping[str, Any]) -> Any:
        """What the next call of a method is answered."""
        answer = self[method]
        if callable(answer):
            return answer(params)
        if not isinstance(answer, list):
            return answer
        place = min(self._given[method.lower()], len(answer) - 1)
        self._given[method.lower()] += 1
        return answer[place](params) if callable(answer[place]) else answer[place]


def _check_json(method: str, answer: Any) -> None:
    content = asdict(answer) if is_dataclass(answer) and not isinstance(answer, type) else answer
    try:
        json.dumps(content, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"The answer of {method} is not JSON: {problem}.") from None
