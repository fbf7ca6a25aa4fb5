"""What is asked again and again, and what the answer means: not yet, met, or never."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from airflow_provider_bitrix24.exceptions import Bitrix24Error, NotFound, OperationTimeLimit, QueryLimitExceeded
from airflow_provider_bitrix24.triggers.condition import Condition

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.answers.reply import Reply

log = logging.getLogger(__name__)

#: What was seen goes to XCom up to this size: MySQL keeps 64 KiB there.
MAX_SEEN_KIB = 48
#: Rows of a page ("How to Retrieve Large Volumes of Data").
PAGE_ROWS = 50
#: Seconds before a question that failed is asked again: as many as the failures before, the last one from then on.
BACK_OFF_SECONDS = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)

#: What an answer is: a payment, a CRM item, a page of CRM items, or anything.
Reads = Literal["payment", "item", "items", "result"]
#: What it means that the object is not there.
IfMissing = Literal["fail", "wait", "met"]


class Verdict(NamedTuple):
    """
    What an answer means.

    :param met: whether what is waited for has come true.
    :param seen: what goes to XCom then.
    """

    met: bool
    seen: Any = None


@dataclass(frozen=True)
class Question:
    """A call of a method that only reads. Equal questions are asked once."""

    method: str
    params: Mapping[str, Any] = field(hash=False, compare=False)
    text: str = ""

    @classmethod
    def of(cls, method: str, params: Mapping[str, Any]) -> Question:
        return cls(method, params, json.dumps(params, sort_keys=True))


@dataclass(frozen=True)
class Watch:
    """
    A question, and when its answer ends the waiting. Plain JSON throughout, so that it can travel in a trigger.

    :param method: it only reads.
    :param params: of the method.
    :param condition: what is waited for; None: that the object is there.
    :param fail_when: with what the waiting is over for good.
    :param reads: what the answer is.
    :param if_missing: what it means that the object is not there.
    :param hint: how to find the id of the object, for the message.
    """

    method: str
    params: Mapping[str, Any]
    condition: Condition | None = None
    fail_when: Condition | None = None
    reads: Reads = "result"
    if_missing: IfMissing = "fail"
    hint: str = ""

    @property
    def question(self) -> Question:
        return Question.of(self.method, self.params)

    def as_json(self) -> dict[str, Any]:
        """The same as an object that :meth:`from_json` reads."""
        return {
            "method": self.method,
            "params": dict(self.params),
            "condition": None if self.condition is None else self.condition.as_json(),
            "fail_when": None if self.fail_when is None else self.fail_when.as_json(),
            "reads": self.reads,
            "if_missing": self.if_missing,
            "hint": self.hint,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Watch:
        conditions = {
            name: None if given[name] is None else Condition.of(given[name], name)
            for name in ("condition", "fail_when")
        }
        return cls(**{**given, **conditions})

    def judge(self, outcome: Reply | Bitrix24Error, function: Callable[[Any], Any] | None = None) -> Verdict:
        """
        Say what an answer, or the lack of one, means.

        :param function: called with the result in place of the condition.
        :raises Bitrix24Error: it can no longer come true, and is not retryable; or, retryable, nobody knows yet.
        """
        if isinstance(outcome, NotFound) and not outcome.referred and self.if_missing != "fail":
            return Verdict(self.if_missing == "met", {"id": self.params.get("id"), "deleted": True})
        if isinstance(outcome, NotFound) and not outcome.referred:
            raise outcome.but(
                advice=f"it is not there, so what is waited for cannot come true; {self.hint}".rstrip("; ")
            )
        if isinstance(outcome, Bitrix24Error):
            raise outcome
        value, total, seen = self._read(outcome)
        if function is not None and function(value):
            return Verdict(True, self._small(seen))
        try:
            if function is None and (self.condition is None or self.condition.holds(value, total)):
                return Verdict(True, self._small(seen))
            is_over = self.fail_when is not None and self.fail_when.holds(value, total)
        except Bitrix24Error as error:
            raise error.but(method=self.method) from None
        if is_over:
            raise Bitrix24Error(
                f"fail_when has come true ({self.fail_when})",
                method=self.method,
                ran="yes",
                next_step="what is waited for cannot come true any more",
            )
        return Verdict(False)

    def _read(self, reply: Reply) -> tuple[Any, int | None, Any]:
        """What conditions look at, how many rows there are, and what is shown of it."""
        # Only the run needs them.
        from airflow_provider_bitrix24.crm.items import item_in
        from airflow_provider_bitrix24.crm.payments import payment_row

        if self.reads in ("payment", "item"):
            row = payment_row(reply.result) if self.reads == "payment" else item_in(reply.result, self.method)
            if str(row.get("id")) != str(self.params["id"]):
                raise Bitrix24Error(
                    f"the answer is about another object than {self.params['id']}", method=self.method, ran="yes"
                )
            return row, None, row
        if self.reads == "items":
            rows = reply.result.get("items") if isinstance(reply.result, dict) else None
            if not isinstance(rows, list):
                raise Bitrix24Error("the answer has no items", method=self.method, ran="yes")
            # Without counting, which takes long in a large portal, a full page says nothing of how many there are.
            total = reply.total or (len(rows) if len(rows) < PAGE_ROWS else None)
            return rows, reply.total, {"total": total, "items": rows}
        if self.condition is None:
            return reply.result, reply.total, reply.result
        try:
            part = self.condition.part(reply.result)
        except Bitrix24Error as error:
            raise error.but(method=self.method) from None
        return reply.result, reply.total, part

    def _small(self, seen: Any) -> Any:
        try:
            size = len(json.dumps(seen, ensure_ascii=False).encode())
        except TypeError:
            return None  # Nothing is there: a condition such as "empty" has come true.
        if size <= MAX_SEEN_KIB * 1024:
            return seen
        log.warning(
            "%s: what was seen is larger than %d KiB and does not go to XCom; select fewer fields, or give the "
            "condition a longer result_path.",
            self.method,
            MAX_SEEN_KIB,
        )
        return None


def is_limit(error: Bitrix24Error) -> bool:
    """Whether the portal may be asked again later, and nothing is wrong."""
    return isinstance(error, (QueryLimitExceeded, OperationTimeLimit))


def back_off(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS)) - 1]
