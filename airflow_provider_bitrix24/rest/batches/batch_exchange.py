"""One batch: sent as soon as the limits allow it, and its answer taken apart command by command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, NotSent, OperationTimeLimit, ServerFault
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.answers.failures_inside import check_reply
from airflow_provider_bitrix24.rest.answers.reply import Reply, read_error, reply_of
from airflow_provider_bitrix24.rest.batches.commands import Command, batch_params, must_not_repeat
from airflow_provider_bitrix24.rest.conversation import Conversation, UnreadReply
from airflow_provider_bitrix24.rest.limits.command_costs import seconds_of
from airflow_provider_bitrix24.rest.retry import Patience

#: After this many lost answers in a row, the remaining commands wait for the next attempt: a portal that is down would
#: take a minute for each, and leave fewer and fewer commands certain.
LOST_IN_A_ROW = 3


class CommandAnswer(NamedTuple):
    """
    What a batch answered to one command; all None where its key did not come back.

    :param result: the result in a tuple, as it may be null.
    """

    result: tuple[Any] | None
    error: Mapping[str, Any] | None
    total: Any
    next: Any
    time: Mapping[str, Any]


def exchange(
    conversation: Conversation,
    pack: Sequence[Command[Any]],
    *,
    halt: bool,
    repeatable: bool,
    patience: Patience | None = None,
    unread_seconds: Mapping[str, float] | None = None,
) -> tuple[list[CommandAnswer], Reply]:
    """
    Send one batch.

    :param patience: what it may sleep; that of a call by default.
    :param repeatable: whether the whole of it may be repeated when its answer is lost.
    :param unread_seconds: by method, the operating time of answers that nobody has read yet.
    :return: the answer to each command, and the whole answer.
    :raises AnswerLost: the answer is not that of a batch.
    :raises Bitrix24Error: the batch as a whole failed; where it had no usable answer, the next ones are smaller.
    """
    batch = Method("batch", repeat="read" if repeatable else "never")
    patience, clock = patience or conversation.patience(), conversation.clock
    names = [command.method.name for command in pack]
    delay = conversation.operating.delay_of_batch(names, unread_seconds=unread_seconds, now=clock())
    if delay > 0:
        patience.wait_or_raise(delay, OperationTimeLimit, batch.name, reset_at=clock() + delay)
    try:
        return _taken_apart(
            conversation, pack, conversation.call(batch, batch_params(pack, halt=halt), patience, explain=False)
        )
    except (AnswerLost, ServerFault) as error:
        _note_lost(conversation, pack, error)
        raise


def send_once(conversation: Conversation, pack: Sequence[Command[Any]], patience: Patience) -> UnreadReply:
    """
    Send one batch in one attempt, and leave its answer unread.

    :raises Bitrix24Error: it failed, or a limit does not allow it: operating time is not waited for.
    """
    names = [command.method.name for command in pack]
    delay = conversation.operating.delay_of_batch(names, now=conversation.clock())
    if delay > 0:
        raise OperationTimeLimit("not sent: the method has no operating time left", method=names[0])
    unread = conversation.send_once(Method("batch", repeat="read"), batch_params(pack, halt=False), patience)
    if unread.answer.status != HTTPStatus.OK:
        # Said at once: more that is under way may be too much for the portal.
        conversation.read(unread)
    return unread


def read_batch(
    conversation: Conversation, pack: Sequence[Command[Any]], unread: UnreadReply
) -> tuple[list[CommandAnswer], Reply]:
    """
    Read what came back for :func:`send_once`.

    :raises Bitrix24Error: the batch as a whole failed.
    """
    try:
        return _taken_apart(conversation, pack, conversation.read(unread))
    except (AnswerLost, ServerFault) as error:
        _note_lost(conversation, pack, error)
        raise


def _taken_apart(
    conversation: Conversation, pack: Sequence[Command[Any]], reply: Reply
) -> tuple[list[CommandAnswer], Reply]:
    answers = command_answers(reply.result, len(pack))
    if answers is None:
        raise AnswerLost("the answer is not that of a batch", method="batch", request_id=reply.request_id)
    _learn_from(conversation, pack, answers, reply.size / len(pack))
    return answers, reply


def _note_lost(conversation: Conversation, pack: Sequence[Command[Any]], error: Bitrix24Error) -> None:
    if error.ran != "no" and (is_too_much(error) or not any(map(must_not_repeat, pack))):
        for name in {command.method.name for command in pack}:
            conversation.command_costs.lost(name, len(pack))


def is_too_much(error: Bitrix24Error) -> bool:
    """Whether asking for less at once may help."""
    return isinstance(error, AnswerLost) and error.too_much


def down(error: Bitrix24Error) -> NotSent:
    """What becomes of commands that are not sent to a portal which answers nothing."""
    return NotSent(
        f"not sent: {LOST_IN_A_ROW} requests in a row got no answer ({error.reason})",
        next_step="check that the portal is up",
    )


def stops_all(error: Bitrix24Error) -> bool:
    """Whether the remaining commands would fail the same way; each method has an operating time of its own."""
    return error.affects_every_row and not isinstance(error, OperationTimeLimit)


def may_have_run(error: Bitrix24Error) -> bool:
    """Whether the answer was lost, rather than a refusal that proves nothing."""
    return isinstance(error, (AnswerLost, ServerFault)) and error.ran != "no"


def number_run(answers: Sequence[CommandAnswer]) -> int | None:
    """
    How many commands a batch ran before it was halted; None where the portal does not say that it was.

    It says so by ending with a command that failed. One that is merely missing may have run.
    """
    ended = [index for index, answer in enumerate(answers) if answer.result is not None or answer.error is not None]
    return ended[-1] + 1 if ended and answers[ended[-1]].error is not None else None


def read_answer(conversation: Conversation, command: Command[Any], answer: CommandAnswer, reply: Reply) -> Reply:
    """
    Turn the answer to one command into its reply.

    :param reply: the whole answer.
    :raises RestError: the portal refused the command, or its good answer says that it failed.
    :raises IncompleteList: hits may have been cut off.
    :raises AnswerLost: its key did not come back.
    """
    method = command.method
    if answer.error is not None:
        error = read_error(
            answer.error, method=method.name, status=None, request_id=reply.request_id, scrub=conversation.scrub
        )
        conversation.activity.ran(method.name, error)
        raise conversation.refused(error, method.name, batched=True)
    if answer.result is None:
        # "A command is done only if its key is in one of the two maps" ("batch").
        raise AnswerLost(
            "the answer of the batch does not have this command", method=method.name, request_id=reply.request_id
        )
    own = reply_of(
        answer.result[0],
        answer.total,
        answer.next,
        answer.time,
        method=method.name,
        status=None,
        request_id=reply.request_id,
        must_be_true=method.must_be_true,
    )
    check_reply(own, method, conversation.scrub)
    conversation.activity.ran(method.name)
    return own


def command_answers(result: Any, number: int) -> list[CommandAnswer] | None:
    """
    The answer of a batch, command by command; None where it is not that of a batch.

    Every part of it may be ``[]`` instead of an object, and a list instead of an object with the keys 0 to n-1.
    """
    if not isinstance(result, dict) or "result" not in result:
        return None
    results, errors, totals, nexts, times = (
        _by_key(result.get(name)) for name in ("result", "result_error", "result_total", "result_next", "result_time")
    )
    answers = []
    for index in range(number):
        key = f"c{index}"
        time = times.get(key)
        answers.append(
            CommandAnswer(
                (results[key],) if key in results else None,
                _error(errors[key]) if key in errors else None,
                totals.get(key),
                nexts.get(key),
                time if isinstance(time, dict) else {},
            )
        )
    return answers


def _error(error: Any) -> Mapping[str, Any]:
    return error if isinstance(error, dict) and "error" in error else {"error": error}


def _by_key(values: Any) -> Mapping[str, Any]:
    if isinstance(values, list):
        return {f"c{index}": value for index, value in enumerate(values)}
    return values if isinstance(values, dict) else {}


def _learn_from(
    conversation: Conversation, pack: Sequence[Command[Any]], answers: Sequence[CommandAnswer], bytes_each: float
) -> None:
    times: dict[str, Mapping[str, Any]] = {}
    seconds: dict[str, list[float]] = {}
    for command, answer in zip(pack, answers, strict=True):
        name = command.method.name
        if answer.time:
            times[name] = answer.time
        if answer.result is not None:
            seconds.setdefault(name, []).append(seconds_of(answer.time))
    now = conversation.clock()
    for name, time in times.items():
        # A running total: the last command's counts.
        conversation.operating.learn(name, time, batched=True, now=now)
    for name, each in seconds.items():
        conversation.command_costs.learn(name, sum(each) / len(each), bytes_each)
