"""The face of the portal: call a method, send a batch, read a list. How a call goes is in ``conversation.py``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.methods import METHODS, Method, Methods
from airflow_provider_bitrix24.rest.activity import Activity, Meter
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_call import BatchCall
from airflow_provider_bitrix24.rest.batches.batch_result import BatchResult
from airflow_provider_bitrix24.rest.concurrent_requests import ConcurrentRequests
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.field_descriptions import described
from airflow_provider_bitrix24.rest.limits.bucket import BucketStore
from airflow_provider_bitrix24.rest.limits.bucket_store import bucket_store
from airflow_provider_bitrix24.rest.limits.command_costs import CommandCosts
from airflow_provider_bitrix24.rest.limits.concurrency import Concurrency
from airflow_provider_bitrix24.rest.lists.field_check import check_call, names_are_known
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.own_parameters import check_places
from airflow_provider_bitrix24.rest.lists.per_parent import children
from airflow_provider_bitrix24.rest.lists.row_list import RowList
from airflow_provider_bitrix24.rest.lists.stream import Stream
from airflow_provider_bitrix24.rest.oauth.token_renewal import Tokens
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.retry import PATIENCE_SECONDS
from airflow_provider_bitrix24.types import Params, Row

Key = TypeVar("Key", bound=Hashable)
P = ParamSpec("P")
T = TypeVar("T")


def _edge(method: Callable[P, T]) -> Callable[P, T]:
    """Let errors leave without the traceback and the chain of what happened inside, whose frames hold tokens."""

    @wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except Bitrix24Error as error:
            failure = error.but()
        # Outside the handler, which would chain the error to itself.
        raise failure

    return wrapped


class Client:
    """
    Calls methods of one portal over kept-alive connections. May be shared by threads.

    :param portal: where and as whom.
    :param methods: what is known of methods.
    :param tokens: the token pair, where an application calls.
    :param bucket: where the portal's request bucket is kept; by default all processes of this host share it, or all
        hosts that name the same ``limiter``.
    :param meter: takes counts and times, for metrics.
    :param patience_seconds: most seconds that one call sleeps in all; longer waits are raised.
    :param sleep: how to wait; by default, until :meth:`stop`.
    :param clock: Unix seconds.
    :param monotonic: seconds, never set back: what answers are timed with.
    :param jitter: a factor for each wait before a repetition.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        methods: Methods = METHODS,
        tokens: Tokens | None = None,
        bucket: BucketStore | None = None,
        meter: Meter | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(1.0, 1.25),  # noqa: S311 - spreads waits, guards nothing
    ) -> None:
        self._conversation = Conversation(
            portal,
            methods=methods,
            tokens=tokens,
            bucket=bucket or bucket_store(portal.source, portal.limiter),
            activity=Activity(meter),
            patience_seconds=patience_seconds,
            sleep=sleep,
            clock=clock,
            monotonic=monotonic,
            jitter=jitter,
        )

    @property
    def portal(self) -> Portal:
        """The portal as it is reached now: at another host than at first if it has been renamed."""
        return self._conversation.portal

    @property
    def methods(self) -> Methods:
        """What is known of methods. May be set: ``client.methods = client.methods.adding(Method(…))``."""
        return self._conversation.methods

    @methods.setter
    def methods(self, methods: Methods) -> None:
        self._conversation.methods = methods

    @property
    def tokens(self) -> Tokens | None:
        """The token pair; None for a webhook."""
        return self._conversation.tokens

    @property
    def activity(self) -> Activity:
        """What this client has done so far, as numbers."""
        return self._conversation.activity

    @property
    def command_costs(self) -> CommandCosts:
        """What commands of each method took and answered so far."""
        return self._conversation.command_costs

    def operating_share(self, methods: Iterable[str] | None = None) -> float:
        """
        The largest part of its operating budget that one of these methods has used lately, as far as answers said it.

        0.5 is half of the connection's ``operating_budget``; 0 where the portal does not count.

        :param methods: None for all that this client has called.
        """
        return self._conversation.operating.share_used(methods, now=self._conversation.clock())

    def scrub(self, text: str) -> str:
        """Take the secrets out of a text of the portal."""
        return self._conversation.scrub(text)

    def sleep(self, seconds: float) -> None:
        """Sleep for this time, or until a moment after :meth:`stop`."""
        self._conversation.sleep(seconds)

    def stop(self) -> None:
        """Send nothing from now on: every call raises. For a task that is being killed."""
        self._conversation.stop()

    def close(self) -> None:
        """Close the connection. A later call opens a new one."""
        self._conversation.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def method(self, name: str, version: int = 2) -> Method:
        """
        What is known of a method, under the name that is sent.

        :raises ConfigurationError: it cannot be the name of a method, or is not supported in this version.
        """
        return self._conversation.method(name, version)

    def call(self, method: str, params: Params | None = None, *, version: int = 2, allow_cut: bool = False) -> Any:
        """
        Call a method once and return its ``result``: any JSON value.

        It is repeated inside the call only where "did it run?" allows it, and sleeps at most ``patience_seconds`` in
        all. After a lost answer to a ``delete`` the object is asked for: gone means done.

        :param params: what the method is given, ``{"id": 1035}``.
        :param version: 3 for a REST 3.0 method.
        :param allow_cut: take hits that may have been cut off: ``crm.duplicate.findbycomm`` answers 20 of each kind at
            most and does not say that there are more.
        :raises ConfigurationError: the parameters cannot be sent; nothing was sent.
        :raises NotSent: no connection, after three attempts.
        :raises AnswerLost: it may have run, and repeating it could do harm or did not help.
        :raises RestError: the portal said no, also inside a good answer.
        :raises IncompleteList: hits may have been cut off.
        :raises PortalMoved: the portal redirected to where the secret must not go.
        """
        return self.ask(method, params, version=version, allow_cut=allow_cut).result

    @_edge
    def ask(self, method: str, params: Params | None = None, *, version: int = 2, allow_cut: bool = False) -> Reply:
        """Call a method like :meth:`call` and return the whole answer: result, total, next, time."""
        return self._conversation.ask(method, params, version=version, allow_cut=allow_cut)

    @_edge
    def batch(
        self,
        commands: Mapping[Key, tuple[str, Params | None]],
        *,
        halt: bool = False,
        references: bool = False,
        ordered: bool = True,
        allow_cut: bool = False,
        check_fields: bool = True,
    ) -> BatchResult[Key]:
        """
        Call any number of methods, 50 to a request.

        Requests that only read are sent several at once, up to the portal's ``parallel``; those that write, one after
        the other, unless ``ordered`` is False.

        Commands that a batch cannot carry (true, false, null, an empty list or object, a text such as ``$result[``) are
        sent after the others as direct calls. A command that was refused by a limit is repeated alone. After a lost
        answer of the whole batch, each command is repeated or not by its own nature; when a portal loses several in
        a row, the rest is not sent and ends as ``NotSent``.

        :param commands: ``{"a": ("crm.item.get", {"entityTypeId": 2, "id": 7}), …}``.
        :param halt: stop after the first command that fails; the order of the commands is kept.
        :param references: take ``$result[a][ID]`` in a value as a reference to the command ``a`` of the same request.
            Without ``halt``, a command that refers to a failed one still runs, with another value in its place.
        :param ordered: keep the order of commands that write. With False, several requests are under way at once and
            commands may run in any order: for objects that do not depend on each other. ``halt`` and ``references``
            keep the order in any case.
        :param allow_cut: as of :meth:`call`.
        :param check_fields: check filters of lists as :meth:`check_filter` does; the portal may be asked for fields.
        :return: how each command ended; nothing is raised for a command that failed.
        :raises ConfigurationError: a command cannot be sent; nothing was sent.
        """
        if check_fields:
            self._check_lists(commands)
        call = BatchCall[Key](
            self._conversation, halt=halt, references=references, ordered=ordered, allow_cut=allow_cut
        )
        return call.run(commands)

    def _check_lists(self, commands: Mapping[Key, tuple[str, Params | None]]) -> None:
        lists: dict[str, bool] = {}
        for key, command in commands.items() if isinstance(commands, Mapping) else ():
            # What is not a command is named where commands are made.
            if not isinstance(command, (tuple, list)) or len(command) != 2 or not isinstance(command[0], str):
                continue
            name, params = command
            try:
                # Most batches call one method many times.
                if name not in lists:
                    lists[name] = self.method(name).rows is not None
                if lists[name]:
                    self.check_filter(name, params)
            except ConfigurationError as error:
                raise error.but(reason=f"the command {key!r}: {error.reason}") from None

    def concurrent(self) -> ConcurrentRequests:
        """
        Several calls of this client under way at once, each in a thread: for work whose calls must not depend on each
        other. How many is found for these alone, and they begin with a few.
        """
        return ConcurrentRequests(self._conversation, Concurrency(self.portal.parallel))

    @_edge
    def list(self, method: str, params: Params | None = None, *, limit: int | None = None, version: int = 2) -> RowList:
        """
        Read a whole list: every row once, in ascending order of id where the method has one, or an error.

        Where the method filters by id, one request brings up to 2,500 rows, and several are under way at once. Rows
        that are created during the read may be seen, rows that are deleted may be missed.

        :param params: the method's own, e.g. ``{"filter": {">=DATE_CREATE": "2026-01-01T00:00:00+03:00"}}``. The order
            is set here where the method sorts by id; your own ``>ID`` narrows the list; the id is added to ``select``
            and taken out of the rows again.
        :param limit: at most this many rows.
        :return: an iterator of rows as the portal sends them; those of one request are in memory, and unread answers
            of 32 MiB at most. ``close`` ends it early. Its ``report`` says afterwards how many there were and whether
            the list is complete.
        :raises ConfigurationError: a parameter that cannot be combined with reading it all; nothing was sent.
        :raises IncompleteList: while reading: the list cannot be proven whole.
        """
        return RowList(self._conversation, Listing(self.method(method, version), params), limit)

    @_edge
    def check_filter(self, method: str, params: Params | None = None) -> None:
        """
        The same as :meth:`check_list` of lists that drop unknown names, such as ``crm.deal.list``; of others, that the
        filter is an object, and that no condition stands beside it.

        :raises ConfigurationError: the portal would drop a name, or take the filter for none.
        """
        if names_are_known(known := self.method(method)):
            check_call(self._conversation, known, params)
        else:
            check_places(known, params)

    @_edge
    def check_list(self, method: str, params: Params | None = None) -> None:
        """
        Check the filter and ``select`` of a list method as :meth:`list` does, for a caller that reads its first page.

        The portal may be asked for the fields, once per process. A method that is not a list is not checked.

        :raises ConfigurationError: the portal would drop a name, or take the filter for none.
        """
        if (known := self.method(method)).rows is not None:
            check_call(self._conversation, known, params)

    def children(
        self, method: str, parents: Iterable[Key], params_of: Callable[[Key], Params]
    ) -> Iterator[tuple[Key, Row]]:
        """
        Read a list for each parent, 50 parents to a request, and yield each row with its parent.

        ``client.children("crm.item.productrow.list", deal_ids, lambda deal: {"filter": {"=ownerType": "D", "=ownerId":
        deal}})`` yields ``(7, {"id": 1, "ownerId": 7, …}), …`` in the order of the parents. A list that does not fit
        into one page is read like :meth:`list`.

        :raises Bitrix24Error: the list of one parent could not be read; rows of those before it have been yielded.
        """
        return Stream(children(self._conversation, method, parents, params_of))

    @_edge
    def described(self, method: str, params: Params | None = None, *, fresh: bool = False) -> Mapping[str, Any]:
        """
        What a method such as ``crm.deal.fields`` answers; the portal is asked once per process.

        :param fresh: ask the portal in any case, and keep its answer: a field may be new.
        :return: the result, shared by all callers and not to be changed; empty where it is not an object.
        """
        return described(self._conversation, method, params, fresh=fresh)
