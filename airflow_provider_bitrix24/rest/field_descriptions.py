"""What methods such as ``crm.deal.fields`` answer, kept for the life of the process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.encoding import as_params, json_body
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.types import Params

#: Most answers to keep: one may take a megabyte. The oldest is forgotten first.
_MOST_ANSWERS = 64

#: By portal, user, method and parameters: users may see different fields.
_Key = tuple[str, str, str, bytes]
_answers: OrderedDict[_Key, Mapping[str, Any]] = OrderedDict()


def described(
    conversation: Conversation, method: str, params: Params | None = None, *, fresh: bool
) -> Mapping[str, Any]:
    """
    Return the result of a method that describes fields; the portal is asked once per process.

    :param fresh: ask the portal in any case, and keep its answer: a field may be new.
    :return: the result, shared by all callers and not to be changed; empty where it is not an object.
    """
    answer = None if fresh else kept(conversation.portal, method, params)
    if answer is not None:
        return answer
    result = conversation.ask(method, params).result
    if not isinstance(result, dict):
        return {}
    # Each step is atomic and none needs the one before, so threads need no lock.
    _answers[_key(conversation.portal, method, params)] = result
    if len(_answers) > _MOST_ANSWERS:
        _answers.popitem(last=False)
    return result


def kept(portal: Portal, method: str, params: Params | None = None) -> Mapping[str, Any] | None:
    """What :func:`described` returns without asking the portal; None where it would have to."""
    return _answers.get(_key(portal, method, params))


def _key(portal: Portal, method: str, params: Params | None) -> _Key:
    sent = json_body(as_params(params, method=method), method=method)
    return portal.address, portal.credentials.identity, method, sent
