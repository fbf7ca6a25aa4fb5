"""
Everything that goes wrong, as one tree. The first question each branch answers is "did it run?".

    Bitrix24Error
    ├── ConfigurationError (ValueError)   connection or arguments are wrong; nothing was sent
    ├── TaskStopped                       the task is being stopped; nothing was sent
    ├── PortalMoved                       redirected to where a secret must not go, or to a page of the portal
    ├── TransportError                    no usable answer
    │   ├── NotSent                       no connection: the method surely did not run
    │   └── AnswerLost                    timeout, reset, or a body that is not the portal's JSON: it may have run
    │       └── UnprovenLimit (OperationTimeLimit)  status 429 without the portal's own JSON: it may have run
    ├── RestError                         the portal refused
    │   ├── QueryLimitExceeded            the request bucket is full; did not run; ask again later
    │   ├── OperationTimeLimit            the method's operating time is used up; did not run; ``reset_at``
    │   ├── Unauthorized                  the webhook or token is not accepted
    │   │   └── ExpiredToken              a renewed token is accepted
    │   ├── Forbidden                     a right or a scope is missing
    │   ├── NotFound                      by code or exact text, never by status
    │   ├── Invalid                       the portal refuses these arguments, or for a reason that is not known
    │   ├── Blocked                       needs a person at the portal: plan, overload, licence
    │   └── ServerFault                   the portal's own fault codes: it may have run
    ├── IncompleteList                    a list that cannot be proven complete
    └── BatchError                        some commands failed: errors by key, results of the others

A class exists where somebody would act differently on it; the portal's own code is in ``code``.
No message holds a secret: texts of the portal are scrubbed before an error is made of them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

#: Whether the method took effect at the portal; ``"unknown"`` where that cannot be known.
Ran = Literal["no", "yes", "unknown"]

_ErrorT = TypeVar("_ErrorT", bound="Bitrix24Error")


class Bitrix24Error(Exception):
    """
    Base of all errors of this package.

    :param reason: what happened, in one sentence without a final stop.
    :param method: REST method, e.g. ``crm.item.payment.delete``; empty where no method is concerned.
    :param code: the portal's error code as it was sent, as text (``"0"`` and ``""`` are codes); None without one.
    :param description: the portal's text, without markup and secrets.
    :param status: HTTP status of the answer; None when there was no answer.
    :param request_id: what we sent as ``X-Request-ID``.
    :param next_step: the hint: what to do about it.
    """

    #: Whether the same call may succeed later without a person's help, so that Airflow's ``retries`` make sense.
    retryable: bool = False
    #: Whether the method took effect.
    ran: Ran = "no"
    #: Whether what stops one of many rows, calls or commands stops the next one too.
    affects_every_row: bool = False

    def __init__(
        self,
        reason: str,
        *,
        method: str = "",
        code: str | None = None,
        description: str = "",
        status: int | None = None,
        request_id: str | None = None,
        next_step: str = "",
        ran: Ran | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.method = method
        self.code = code
        self.description = description
        self.status = status
        self.request_id = request_id
        self.next_step = next_step
        if ran is not None:
            self.ran = ran
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        text = f"{self.method}: {self.reason}" if self.method else self.reason
        text = f"{text}: {self.next_step}" if self.next_step else text
        return f"{text} (request {self.request_id})" if self.request_id else text

    def but(self: _ErrorT, *, advice: str = "", **fields: Any) -> _ErrorT:
        """
        Return a copy with other fields, without traceback and chain; an error that somebody else holds never changes.

        :param advice: a clause that is added to the hint; in parentheses, a remark, which needs no hint before it.
        :param fields: new values of fields, e.g. ``retryable=False``.
        """
        error = copy.copy(self)
        for name, value in fields.items():
            if not hasattr(error, name):
                raise AttributeError(f"{type(self).__name__} has no field {name!r}")
            setattr(error, name, value)
        if advice.startswith("(") and not error.next_step:
            error.reason = f"{error.reason} {advice}"
        elif advice:
            before = error.next_step.rstrip(" .;")
            joint = " " if advice.startswith("(") else "; "
            error.next_step = f"{before}{joint if before else ''}{advice}"
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        # The default way of pickling an exception loses keyword arguments.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[Bitrix24Error], args: tuple[Any, ...], state: dict[str, Any]) -> Bitrix24Error:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(Bitrix24Error, ValueError):
    """A connection or an argument is wrong. Nothing was sent."""


class TaskStopped(Bitrix24Error):
    """The task is being killed and sends no more requests. Nothing was sent; a retry of the task may go on."""

    affects_every_row = True
    retryable = True


class PortalMoved(Bitrix24Error):
    """The portal redirected to another host, or to a page of its own (licence, maintenance). The method did not run."""

    affects_every_row = True


class TransportError(Bitrix24Error):
    """No usable answer came."""

    retryable = True


class NotSent(TransportError):
    """
    No connection was made: the method surely did not run.

    :param untrusted: the server's certificate is not trusted.
    """

    affects_every_row = True

    def __init__(self, reason: str, *, untrusted: bool = False, **kwargs: Any) -> None:
        super().__init__(reason, **kwargs)
        self.untrusted = untrusted


class AnswerLost(TransportError):
    """
    The request was sent and no answer of the portal came back: the method may have run.

    ``retryable`` is False where repeating could do the work twice, or would fail in the same way.

    :param too_much: the request or its answer was too large: asking for less at once may succeed.
    """

    ran: Ran = "unknown"

    def __init__(self, reason: str, *, too_much: bool = False, **kwargs: Any) -> None:
        super().__init__(reason, **kwargs)
        self.too_much = too_much


class RestError(Bitrix24Error):
    """
    The portal refused.

    :param cause_known: False where neither the code nor the text nor reading the object shows why, e.g. code ``0`` with
        a text in an unknown language.
    :param paid: the payment is paid, and must be unpaid first: the portal says so, or a look at it has shown it.
    """

    def __init__(self, reason: str, *, cause_known: bool = True, paid: bool = False, **kwargs: Any) -> None:
        super().__init__(reason, **kwargs)
        self.cause_known = cause_known
        self.paid = paid


class QueryLimitExceeded(RestError):
    """The request bucket of this portal and source address is full. The method did not run."""

    affects_every_row = True
    retryable = True


class OperationTimeLimit(RestError):
    """
    The method has used up its operating time of the last ten minutes. It did not run; other methods go on.

    :param reset_at: Unix seconds when the oldest minute drops out of the sum; None where the portal never said it.
    """

    affects_every_row = True
    retryable = True

    def __init__(self, reason: str, *, reset_at: float | None = None, **kwargs: Any) -> None:
        super().__init__(reason, **kwargs)
        self.reset_at = reset_at


class UnprovenLimit(AnswerLost, OperationTimeLimit):
    """
    The status 429 with a page, or with JSON that is not the portal's, as a server on the way sends it.

    A limit, but nothing proves that the method did not run; ``reset_at`` is None.
    """


class Unauthorized(RestError):
    """The webhook or the token is not accepted. The method did not run."""

    affects_every_row = True


class ExpiredToken(Unauthorized):
    """The access token has expired; a renewed one is accepted."""


class Forbidden(RestError):
    """A right or a scope is missing."""


class NotFound(RestError):
    """
    An object is not there. Concluded from a code or an exact text, never from a status.

    :param referred: what is missing is not the object of the method, but one that its other arguments name, such as the
        payment system of an update.
    """

    def __init__(self, reason: str, *, referred: bool = False, **kwargs: Any) -> None:
        super().__init__(reason, **kwargs)
        self.referred = referred


class Invalid(RestError):
    """The portal refuses these arguments, or refuses for a reason that we do not know (``cause_known`` is False)."""


class Blocked(RestError):
    """Only a person at the portal can help: plan, licence, overload, a missing module."""

    affects_every_row = True


class ServerFault(RestError):
    """A fault inside the portal: the method may have run."""

    retryable = True
    ran: Ran = "unknown"


class IncompleteList(Bitrix24Error):
    """
    A list that cannot be proven complete.

    :param rows: how many rows were yielded before.
    """

    def __init__(self, reason: str, *, rows: int = 0, **kwargs: Any) -> None:
        super().__init__(reason, **kwargs)
        self.rows = rows


class BatchError(Bitrix24Error):
    """
    Some commands of a batch failed.

    :param errors: the errors, by the caller's keys.
    :param results: results of the other commands, by the caller's keys.
    """

    ran: Ran = "unknown"

    def __init__(
        self, reason: str, *, errors: Mapping[Any, Bitrix24Error], results: Mapping[Any, Any], **kwargs: Any
    ) -> None:
        super().__init__(reason, **kwargs)
        self.errors: dict[Any, Bitrix24Error] = dict(errors)
        self.results: dict[Any, Any] = dict(results)
        self.retryable = bool(self.errors) and all(error.retryable for error in self.errors.values())
