"""What a running portal received, as tests ask for it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

from airflow_provider_bitrix24.sandbox.face.method_names import check_name, is_pattern
from airflow_provider_bitrix24.sandbox.state.calls import Call
from airflow_provider_bitrix24.sandbox.state.portal import PortalState

#: So many lines name the calls when an assertion fails.
_NAMED_CALLS = 10


class ReceivedCalls(ABC):
    """The part of :class:`~airflow_provider_bitrix24.sandbox.Sandbox` that concerns calls."""

    _state: PortalState

    @property
    def calls(self) -> list[Call]:
        """Every request for a method, in order; the last 100,000 of them."""
        with self._state.lock:
            return list(self._state.log.calls)

    @property
    def requests(self) -> int:
        """HTTP requests for methods."""
        return self._state.log.requests

    def count(self, method: str) -> int:
        """Calls received of a method or pattern, alone and in batches. :raises ValueError: a slip in its name."""
        check_name(method)
        return self._state.log.received(method)

    def executed(self, method: str) -> int:
        """
        How often a method, or any that match a pattern, ran and took effect, alone and in batches.

        :raises ValueError: a slip in its name.
        """
        check_name(method)
        return self._state.log.executed(method)

    def reset_calls(self) -> None:
        """Forget all calls; connections keep being counted from the start."""
        with self._state.lock:
            self._state.log.reset()

    def assert_called(self, method: str, /, *, times: int | None = None, **params: Any) -> None:
        """
        A method took effect with these parameters, alone or in a batch: ``assert_called("crm.deal.update", id=7)``.

        Other parameters do not matter; names count in any case, ``7`` and ``"7"`` are the same, and of a dict only
        the given keys are compared. Calls that were refused do not count.

        :param method: a name, or a pattern such as ``crm.item.payment.*``.
        :param times: exactly so often; at least once by default.
        :raises AssertionError: with the calls of that method that there were.
        :raises ValueError: a slip in its name, or ``times`` is not a number of calls.
        """
        check_name(method)
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 0):
            raise ValueError(f"times={times!r} is not valid: give a number of calls, or leave it out for at least one.")
        matching = sum(call.executed and _holds(params, call.params) for call in self._calls_of(method))
        if (matching == times) if times is not None else matching:
            return
        wanted = ", ".join(f"{name}={value!r}" for name, value in params.items())
        often = "" if times is None else f" {times} times, but {matching} times"
        raise AssertionError(f"{method}({wanted}) did not take effect{often}. {self._report(method)}")

    def assert_not_called(self, method: str, /) -> None:
        """
        No call of a method, or of any that match a pattern, came, not even one that was refused.

        :raises AssertionError: with the calls that there were.
        :raises ValueError: a slip in its name.
        """
        if self.count(method):
            raise AssertionError(f"{method} should not have been called. {self._report(method)}")

    def _calls_of(self, method: str) -> Iterator[Call]:
        for request in self.calls:
            for call in (request, *request.commands):
                if fnmatchcase(call.method.lower(), method.lower()):
                    yield call

    def _report(self, method: str) -> str:
        calls = list(self._calls_of(method))
        if not calls:
            others = sorted({call.method for request in self.calls for call in (request, *request.commands)})
            return f"It was not called. Called were: {', '.join(others) or 'no methods'}."
        # Those in a row that are alike make one line; the last lines are the nearest to the failed assertion.
        texts = [f"{call.method} {_call_text(call)}" if is_pattern(method) else _call_text(call) for call in calls]
        lines = [_line(text, len(list(alike))) for text, alike in groupby(texts)]
        more = [f"  {len(lines) - _NAMED_CALLS} others, and"] if len(lines) > _NAMED_CALLS else []
        return "\n".join(["It was called with", *more, *lines[-_NAMED_CALLS:]])


def _call_text(call: Call) -> str:
    # The token of an application is a parameter too.
    params = {name: value for name, value in call.params.items() if name not in ("auth", "access_token")}
    if call.executed:
        return f"{params}: done"
    return f"{params}: {'not done' if call.error is None else f'refused with {call.error!r}'}"


def _line(text: str, times: int) -> str:
    return f"  {text}" if times == 1 else f"  {text} ({times} times)"


def _holds(wanted: Any, sent: Any) -> bool:
    """Whether ``sent`` has all of ``wanted``; on the wire a number may have become text."""
    if isinstance(wanted, dict):
        if not isinstance(sent, dict):
            return False
        named = {str(name).lower(): value for name, value in sent.items()}
        return all(
            str(name).lower() in named and _holds(value, named[str(name).lower()]) for name, value in wanted.items()
        )
    if isinstance(wanted, (list, tuple)):
        values = list(sent.values()) if isinstance(sent, dict) else sent
        return (
            isinstance(values, list)
            and len(values) == len(wanted)
            and all(_holds(*pair) for pair in zip(wanted, values, strict=True))
        )
    return str(wanted) == str(sent) or wanted == sent
