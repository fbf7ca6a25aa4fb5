"""Many commands in few requests: packing by number, size and time, and unpacking by key."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from airflow_provider_bitrix24.exceptions import BatchError, Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.encoding import has_reference, plain, query, variables
from airflow_provider_bitrix24.types import Params

Key = TypeVar("Key", bound=Hashable)

#: Most commands that one batch carries («How to Execute a Batch Request»).
MAX_COMMANDS = 50
#: Fewer variables than PHP takes in one query string (``max_input_vars`` is 1,000 by default).
MAX_VARIABLES = 999
#: Most bytes of one request: PHP takes 8 MiB by default (``post_max_size``).
MAX_REQUEST_BYTES = 4 * 1024 * 1024
#: A batch is made to last no longer than this, by what its methods took before: the cloud cuts a request at 60 s.
AIM_SECONDS = 40.0
#: A batch is made to answer no more bytes than this, by what its methods answered before.
AIM_RESPONSE_BYTES = 4 * 1024 * 1024
#: No command takes longer: the portal's own word for it is a mistake.
_LONGEST_SECONDS = 3600.0


@dataclass(slots=True)
class Command(Generic[Key]):
    """One entry of a batch. ``text`` is ``method?query``; None where it must go as a direct call."""

    key: Key
    known: Method
    method: str
    params: Params
    text: str | None


@dataclass
class BatchResult(Generic[Key]):
    """
    How each command ended, by the caller's keys in the caller's order.

    Every key is in exactly one of the three.

    :param replies: answers of the commands that succeeded: result, total, next, time.
    :param errors: what went wrong with the others, of the same classes as in a direct call.
    :param not_run: commands that were not executed, because ``halt`` stopped the batch before them.
    """

    replies: dict[Key, Reply] = field(default_factory=dict)
    errors: dict[Key, Bitrix24Error] = field(default_factory=dict)
    not_run: list[Key] = field(default_factory=list)

    @property
    def results(self) -> dict[Key, Any]:
        """Results of the commands that succeeded."""
        return {key: reply.result for key, reply in self.replies.items()}

    def all_results(self) -> dict[Key, Any]:
        """
        Return the results of all commands.

        :raises BatchError: a command failed or was not executed; it carries the errors and the other results.
        """
        if self.errors or self.not_run:
            first = next(iter(self.errors.items()), None)
            told = f", first {first[0]!r}: {first[1]}" if first else ""
            raise BatchError(
                f"of {len(self.errors) + len(self.not_run) + len(self.replies)} commands {len(self.errors)} failed and "
                f"{len(self.not_run)} did not run, "
                f"{len(self.replies)} succeeded{told}",
                method="batch",
                errors=self.errors,
                results=self.results,
            )
        return self.results

    def in_order_of(self, keys: Iterable[Key]) -> BatchResult[Key]:
        order, not_run = list(keys), set(self.not_run)
        return BatchResult(
            {key: self.replies[key] for key in order if key in self.replies},
            {key: self.errors[key] for key in order if key in self.errors},
            [key for key in order if key in not_run],
        )


class Measured:
    """What commands of each method took and answered lately, to size the next batch."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._bytes: dict[str, float] = {}

    def learn(self, method: str, seconds: float, size: float) -> None:
        for known, value in ((self._seconds, seconds), (self._bytes, size)):
            # Growth counts at once, relief slowly: a batch that is too large costs all of its commands.
            known[method] = max(value, (known.get(method, value) + value) / 2)

    def seconds(self, method: str) -> float:
        return self._seconds.get(method, 0.0)

    def size(self, method: str) -> float:
        return self._bytes.get(method, 0.0)

    def fit(self, method: str) -> int:
        """How many commands of one method fit into a batch, from 1 to 50."""
        seconds, size = self.seconds(method), self.size(method)
        most = min(AIM_SECONDS / seconds if seconds else 50, AIM_RESPONSE_BYTES / size if size else 50, MAX_COMMANDS)
        return max(1, int(most))


def seconds_of(time: Mapping[str, Any]) -> float:
    """The ``duration`` that an answer tells; 0 where it tells none that can be true."""
    try:
        seconds = float(time.get("duration", 0))
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if 0.0 <= seconds <= _LONGEST_SECONDS else 0.0


def command(key: Key, known: Method, method: str, params: Params, *, references: bool) -> Command[Key]:
    """
    Make a command.

    :raises ConfigurationError: the method may not be in a batch, or a parameter has no form.
    """
    if method.lower() == "batch":
        raise ConfigurationError(
            f"the command {key!r} is a batch inside a batch", next_step="list its commands instead"
        )
    values = plain(params, method=method)
    text = query(values)
    # Looking for an encoded «$» is quicker than walking through the values, and it is rare.
    if text and not references and "%24" in text and has_reference(values):
        text = None
    if text is not None and (variables(text) > MAX_VARIABLES or len(text) > MAX_REQUEST_BYTES // 2):
        text = None
    return Command(key, known, method, values, None if text is None else f"{method}?{text}" if text else method)


def packs(commands: Iterable[Command[Key]], measured: Measured) -> Iterator[list[Command[Key]]]:
    """
    Split commands into batches by number, size of the request, and measured time and size of the answer.

    Each batch is sized when it is asked for, so that it may learn from the ones before.
    """
    pack: list[Command[Key]] = []
    seconds = answer = request = 0.0
    for one in commands:
        # Room in the request: with the command's key and quotes.
        room = len(one.text or "") + 16
        full = (
            len(pack) >= MAX_COMMANDS
            or seconds + measured.seconds(one.method) > AIM_SECONDS
            or answer + measured.size(one.method) > AIM_RESPONSE_BYTES
            or request + room > MAX_REQUEST_BYTES
        )
        if pack and full:
            yield pack
            pack, seconds, answer, request = [], 0.0, 0.0, 0.0
        pack.append(one)
        seconds += measured.seconds(one.method)
        answer += measured.size(one.method)
        request += room
    if pack:
        yield pack


def body(pack: Sequence[Command[Any]], *, halt: bool) -> dict[str, Any]:
    """The parameters of ``batch``. Keys are ours: with the keys 0 to n-1 a portal answers lists instead of objects."""
    return {"halt": int(halt), "cmd": {f"c{index}": one.text for index, one in enumerate(pack)}}


class Part(NamedTuple):
    """What a batch answered to one command; all None where its key did not come back."""

    result: tuple[Any] | None
    error: Mapping[str, Any] | None
    total: Any
    next: Any
    time: Mapping[str, Any]


def parts(result: Any, number: int) -> list[Part] | None:
    """
    The answer of a batch, command by command; None where it is no answer of a batch.

    Every part of it may be ``[]`` instead of an object, and a list instead of an object with the keys 0 to n-1.
    """
    if not isinstance(result, dict) or "result" not in result:
        return None
    results, errors, totals, following, times = (
        _by_key(result.get(name)) for name in ("result", "result_error", "result_total", "result_next", "result_time")
    )
    answers = []
    for index in range(number):
        key = f"c{index}"
        time = times.get(key)
        answers.append(
            Part(
                (results[key],) if key in results else None,
                _error(errors[key]) if key in errors else None,
                totals.get(key),
                following.get(key),
                time if isinstance(time, dict) else {},
            )
        )
    return answers


def _error(error: Any) -> Mapping[str, Any]:
    return error if isinstance(error, dict) and "error" in error else {"error": error}


def _by_key(part: Any) -> Mapping[str, Any]:
    if isinstance(part, list):
        return {f"c{index}": value for index, value in enumerate(part)}
    return part if isinstance(part, dict) else {}


_REFERENCE_KEY = re.compile(r"(\$(?:result|next|total|time|error)\[)([^\[\]]*)(\]?)", re.IGNORECASE)


def with_our_keys(pack: list[Command[Key]]) -> list[Command[Key]]:
    """
    Rewrite the references of an author, ``$result[deal][ID]``, to our keys, ``$result[c0][ID]``.

    :raises ConfigurationError: a reference to a command that is not in the same request, or not before this one.
    """
    ours = {str(one.key): f"c{index}" for index, one in enumerate(pack)}
    if len(ours) < len(pack):
        raise ConfigurationError(
            "two commands have the same key as text, and a reference could mean either", next_step="rename one"
        )

    def rewritten(value: Any, index: int, key: Key) -> Any:
        if isinstance(value, str):

            def ours_for(match: re.Match[str]) -> str:
                if not match[3]:
                    raise ConfigurationError(
                        f"the command {key!r} has a text with {match[1]}, and no name of a command stands behind it",
                        next_step="write $result[name], and give the command a name without brackets",
                    )
                name = ours.get(match[2])
                if name is None or int(name[1:]) >= index:
                    raise ConfigurationError(
                        f"the command {key!r} refers to {match[2]!r}, which is no earlier command of the same request",
                        next_step=f"a request carries {MAX_COMMANDS} commands at most: put both into one, in order",
                    )
                return f"{match[1]}{name}{match[3]}"

            return _REFERENCE_KEY.sub(ours_for, value)
        if isinstance(value, dict):
            return {rewritten(name, index, key): rewritten(one, index, key) for name, one in value.items()}
        if isinstance(value, list):
            return [rewritten(one, index, key) for one in value]
        return value

    return [
        command(one.key, one.known, one.method, rewritten(one.params, index, one.key), references=True)
        for index, one in enumerate(pack)
    ]
