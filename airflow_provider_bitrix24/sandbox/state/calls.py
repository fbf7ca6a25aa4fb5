"""What the portal received, in order, for tests and for the web page."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

#: So many of the last calls are kept; the counters keep counting.
KEPT_CALLS = 100_000


@dataclass(slots=True)
class Call:
    """
    One HTTP request for a method, or one command of a ``batch``.

    ``path``, ``query``, ``headers`` and ``params`` may hold a code or a token: all but ``params`` stay out of the repr.
    """

    #: As written by the caller, without ``.json``.
    method: str
    params: dict[str, Any]
    #: Whose webhook or token it was; ``None`` if the portal did not know the caller.
    user_id: int | None = None
    #: HTTP status of the answer; ``None`` while there is none, and for ever if a fault swallowed it.
    status: int | None = None
    #: Code of the portal's refusal as text (``"0"`` and ``""`` are codes), ``None`` if it did not refuse.
    error: str | None = None
    #: The method ran to its end and took effect.
    executed: bool = False
    #: Unix seconds on the portal's clock.
    at: float = 0.0
    #: Number of the TCP connection, from 1.
    connection: int = 0
    verb: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    path: str = field(default="", repr=False)
    query: str = field(default="", repr=False)
    #: The application through which the user called; ``None`` for a webhook.
    client_id: str | None = None
    #: The commands of a ``batch``, in the order they ran.
    commands: list[Call] = field(default_factory=list)


class CallLog:
    """All calls since the start or since :meth:`reset`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self.requests = 0
        self._received: Counter[str] = Counter()
        self._executed: Counter[str] = Counter()

    def receive(self, call: Call, *, within: Call | None = None) -> None:
        """Note a request, or a command ``within`` a batch."""
        if within is None:
            self.calls.append(call)
            self.requests += 1
        else:
            within.commands.append(call)
        self._received[call.method.lower()] += 1

    def execute(self, call: Call) -> None:
        call.executed = True
        self._executed[call.method.lower()] += 1

    def received(self, method: str) -> int:
        return _total(self._received, method)

    def executed(self, method: str) -> int:
        return _total(self._executed, method)


def _total(counted: Counter[str], method: str) -> int:
    """The count of a method, or of all that match a pattern."""
    return sum(count for name, count in counted.items() if fnmatchcase(name, method.lower()))
