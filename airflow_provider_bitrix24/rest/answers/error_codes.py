"""
What the portal's error codes and fixed texts mean: the one table by which ``reply`` classifies errors.

The facts are from the Bitrix24 REST documentation (github.com/bitrix24/b24restdocs, commit
5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT, Copyright (c) 2024 Bitrix24; pages named per rule) and, where the source
says "server", from public copies of the server's modules rest, crm and sale (newest May 2026).

Codes are compared in upper case. The first rule whose code, text and method fit wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from airflow_provider_bitrix24.exceptions import (
    Blocked,
    ExpiredToken,
    Forbidden,
    Invalid,
    NotFound,
    OperationTimeLimit,
    QueryLimitExceeded,
    Ran,
    RestError,
    ServerFault,
    Unauthorized,
)

#: Codes that say nothing by themselves: only an exact text of :data:`TEXTS` tells more.
GENERIC_CODES = frozenset({"0", "", "ERROR_CORE", "400"})

_V3 = "BITRIX_REST_V3_EXCEPTION_"
_SYSTEM = "_includes/system-errors.md"
_SERVER = "server"
_METHODS = "method pages"
_PAYMENTS = "api-reference/crm/universal/payment/"
_BI = "api-reference/biconnector/"

_WEBHOOK_GONE = (
    "the webhook is not accepted: Webhook user id or Webhook code is wrong, it was deleted or its code changed, it has "
    "expired, or Bitrix24 blocked it because its address was found in public; create a new one and put it into the "
    "connection"
)
_NO_AUTH = (
    "the portal does not know this webhook or token: check the connection's Portal (host), then compare Webhook user "
    "id and Webhook code with the portal's, or authorize the application again"
)
_OPERATING_TIME = (
    "give the task retries that last ten minutes, or call the method less often; the method may run again once its "
    "operating time of the last ten minutes has dropped"
)
_NO_REST = "the portal's plan does not include REST: it needs a commercial plan or a subscription"
_OR_NO_REST = "or the portal's plan does not include REST"
_NO_RIGHT = "the connection's user does not have the right to do this"
_ORDER_RIGHT = "the connection's user needs the right to change the payment's order"
_NO_OBJECT = "check the id: nothing has it, or it was deleted before"
_MISSING = "(element )?not found|элемент не найден"
_SUPPORT = "ask Bitrix24 support, or the owner of the portal"


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """
    What one code of a portal, with or without a text, means.

    :param text: the exact text (of an English or Russian portal) that must come with the code, as a regular
        expression without case and without its final stop; None takes any text.
    :param methods: patterns of methods for which the rule holds.
    :param ran: whether the method took effect, where the class of the error does not say so.
    :param ambiguous: the portal sends the same text for two causes.
    :param paid: the payment is paid, and must be unpaid first.
    :param referred: of :class:`NotFound`: what is missing is an object that other arguments name.
    """

    code: str
    error: type[RestError]
    next_step: str
    source: str
    text: str | None = None
    methods: tuple[str, ...] = ("*",)
    ran: Ran | None = None
    ambiguous: bool = False
    paid: bool = False
    referred: bool = False

    def fits(self, method: str, description: str) -> bool:
        if self.text is not None and not re.fullmatch(self.text, description.strip().rstrip("."), re.IGNORECASE):
            return False
        return any(fnmatchcase(method.lower(), pattern) for pattern in self.methods)


_PAYMENT = ("crm.item.payment.get", "crm.item.payment.update", "crm.item.payment.pay", "crm.item.payment.unpay",
            "crm.item.payment.delete")  # fmt: skip
_PAYMENT_ITEMS = tuple(
    f"crm.item.payment.{kind}.{verb}"
    for kind, verbs in {
        "product": ("add", "delete", "setquantity"),
        "delivery": ("add", "delete", "setdelivery"),
    }.items()
    for verb in verbs
)
_PRODUCTS = ("crm.item.payment.product.*",)
_TASKS = ("tasks.task.*",)
_TASK_PARTS = ("task.*",)
_NO_TASK = (
    "there is no task with this id, or the connection's user may not do this to it; the portal does not say which"
)
#: What some servers add to their texts.
_INTERNAL = r"( \(internal error\))?"
_PLAN = r".*(commercial plan|by subscription).*"

CODES: tuple[ErrorRule, ...] = (
    # Limits: the method did not run.
    ErrorRule("QUERY_LIMIT_EXCEEDED", QueryLimitExceeded, "too many requests from this address; lower the rate",
              _SYSTEM),
    ErrorRule("OPERATION_TIME_LIMIT", OperationTimeLimit, _OPERATING_TIME, "limits.md"),
    ErrorRule(f"{_V3}RATELIMITEXCEPTION", OperationTimeLimit, _OPERATING_TIME, _SERVER),
    # Who calls.
    ErrorRule("EXPIRED_TOKEN", ExpiredToken, "the access token must be renewed", _SYSTEM),
    ErrorRule("INVALID_TOKEN", ExpiredToken, "the access token must be renewed",
              "settings/cloud-and-on-premise/on-premise/custom-auth-provider.md"),
    ErrorRule("NO_AUTH_FOUND", Unauthorized, _NO_AUTH, _SYSTEM),
    ErrorRule("INVALID_CREDENTIALS", Unauthorized, _WEBHOOK_GONE, f"{_SYSTEM}; {_SERVER}"),
    ErrorRule("AUTHORIZATION_ERROR", Unauthorized,
              "the user of the webhook or application is dismissed or may not log in", _SERVER),
    ErrorRule("INVALID_CLIENT", Unauthorized,
              "check client_id and client_secret, and that the application is installed", "oauth pages"),
    # With status 200, for a client_id that the authorization server does not know.
    ErrorRule("WRONG_CLIENT", Unauthorized,
              "check client_id and client_secret, and that the application is installed", "b24pysdk, errors/oauth.py"),
    ErrorRule("INVALID_GRANT", Unauthorized, "authorize the application again", "oauth pages"),
    ErrorRule("CONNECTION_ERROR", ServerFault, "the portal could not reach the authorization server", _SERVER,
              ran="no"),
    # What the caller may do.
    ErrorRule("INSUFFICIENT_SCOPE", Forbidden, "", _SYSTEM),
    ErrorRule("INVALID_SCOPE", Forbidden, "", "oauth pages"),
    ErrorRule("USER_ACCESS_ERROR", Forbidden, "an administrator must give this user access to the application",
              _SYSTEM),
    ErrorRule("METHOD_CONFIRM_DENIED", Forbidden, "an administrator refused this method",
              "api-reference/scopes/confirmation.md"),
    ErrorRule("ALLOWED_ONLY_INTRANET_USER", Forbidden,
              "the connection's user is an extranet user: use a webhook or application of an employee", _METHODS),
    ErrorRule("ACCESS_DENIED", Blocked, _NO_REST, _SYSTEM, text=_PLAN),
    ErrorRule("ACCESS_DENIED", Forbidden, f"{_ORDER_RIGHT}, and a paid payment must be unpaid first; {_OR_NO_REST}",
              f"{_PAYMENTS}; {_SERVER}", methods=_PAYMENT_ITEMS),
    ErrorRule("ACCESS_DENIED", Forbidden, f"{_ORDER_RIGHT}; {_OR_NO_REST}", f"{_PAYMENTS}; {_SERVER}",
              methods=_PAYMENT[1:]),
    ErrorRule("ACCESS_DENIED", Forbidden, f"{_NO_RIGHT}; {_OR_NO_REST}", _METHODS),
    ErrorRule(f"{_V3}ACCESSDENIEDEXCEPTION", Forbidden, _NO_RIGHT, "api-reference/rest-v3.md"),
    ErrorRule(f"{_V3}INSUFFICIENTSCOPEEXCEPTION", Forbidden, "", "api-reference/rest-v3.md"),
    # A human at the portal.
    ErrorRule("OVERLOAD_LIMIT", Blocked,
              f"Bitrix24 has blocked this webhook or application because of overload; {_SUPPORT}", _SYSTEM),
    ErrorRule("PORTAL_DELETED", Blocked, "the portal has been deleted", _SYSTEM),
    ErrorRule("METHOD_CONFIRM_WAITING", Blocked,
              "an administrator must confirm this method for this webhook or application",
              "api-reference/scopes/confirmation.md"),
    ErrorRule("WRONG_LICENSE", Blocked, "the portal's plan lacks this feature", _SERVER),
    ErrorRule(f"{_V3}LICENSEEXCEPTION", Blocked, "the portal's plan lacks this feature", _SERVER),
    ErrorRule("APPLICATION_NOT_FOUND", Blocked, "the application is not installed or not active at this portal",
              _SERVER),
    ErrorRule("PAYMENT_REQUIRED", Blocked, "the application's trial or paid period is over", "oauth pages"),
    ErrorRule("INTERNAL_WRONG_HANDLER_CLASS", Blocked, f"the portal is misconfigured; {_SUPPORT}", _SERVER),
    ErrorRule("UPDATE_DYNAMIC_ITEM_RESTRICTED", Blocked, "the portal's plan does not allow changing this item",
              _METHODS),
    ErrorRule("CREATE_DYNAMIC_ITEM_RESTRICTED", Blocked, "the portal's plan does not allow creating this item",
              _METHODS),
    # Faults of the portal: the method may have run.
    ErrorRule("INTERNAL_SERVER_ERROR", ServerFault, "", _SYSTEM),
    ErrorRule("ERROR_UNEXPECTED_ANSWER", ServerFault, "", _SYSTEM),
    ErrorRule(f"{_V3}INTERNAL_INTERNALEXCEPTION", ServerFault, "", _SERVER),
    # Not there.
    ErrorRule("NOT_FOUND", NotFound, "", _METHODS),
    ErrorRule("ERROR_NOT_FOUND", NotFound, "", _METHODS),
    ErrorRule("OWNER_NOT_FOUND", NotFound, "", _METHODS, referred=True),
    ErrorRule("ERROR_MANIFEST_IS_NOT_AVAILABLE", NotFound, "", _SYSTEM),
    ErrorRule(f"{_V3}ENTITYNOTFOUNDEXCEPTION", NotFound, "", "api-reference/rest-v3.md"),
    ErrorRule("BITRIX_REST_V3_REALISATION_EXCEPTION_FIELDNOTFOUNDEXCEPTION", NotFound, "", _METHODS),
    ErrorRule("CONNECTOR_NOT_FOUND", NotFound, _NO_OBJECT, _BI),
    ErrorRule("DATASET_NOT_FOUND", NotFound, _NO_OBJECT, _BI),
    ErrorRule("SOURCE_NOT_FOUND", NotFound, _NO_OBJECT, _BI, methods=("biconnector.source.*",)),
    ErrorRule("200700300030", NotFound, _NO_OBJECT, "catalog.section.get", methods=("catalog.section.*",)),
    ErrorRule("ERROR_ELEMENT_NOT_FOUND", NotFound, _NO_OBJECT, "lists.element.delete", methods=("lists.element.*",)),
    ErrorRule("ERROR_IBLOCK_NOT_FOUND", NotFound, _NO_OBJECT, "lists.delete",
              methods=("lists.delete", "lists.get", "lists.update")),
    ErrorRule("ERROR_IBLOCK_NOT_FOUND", NotFound, "see lists.get for the lists", "lists.element.delete",
              methods=("lists.*",), referred=True),
    ErrorRule("STATUS IS NOT FOUND.", NotFound, _NO_OBJECT, "crm.status.get", methods=("crm.status.*",)),
    ErrorRule("1048582", Forbidden, _NO_TASK, "tasks.task.defer and its sisters",
              text="action on the task is not allowed|действие над задачей не разрешено", methods=_TASKS,
              ambiguous=True),
    ErrorRule("100", NotFound, _NO_OBJECT, "crm.documentgenerator.numerator.get",
              text=r"could not construct parameter \{numerator\}", methods=("crm.documentgenerator.numerator.*",)),
    # The method or the way of calling it.
    ErrorRule("ERROR_METHOD_NOT_FOUND", Invalid, "check the method's name; a REST 3.0 method needs version 3, and a "
              "self-hosted portal may lack the module", f"api-reference/rest-v3.md; {_SERVER}"),
    ErrorRule(f"{_V3}METHODNOTFOUNDEXCEPTION", Invalid, "check the method's name; it may be a method of version 2",
              _SERVER),
    ErrorRule("MAIN_CONTROLLER_22002", Invalid, "check the method's name", _SERVER),
    ErrorRule("WRONG_AUTH_TYPE", Invalid, "the method needs an application, not a webhook (or the other way round)",
              _METHODS),
    ErrorRule("ERROR_BATCH_METHOD_NOT_ALLOWED", Invalid, "call this method outside a batch", _SYSTEM),
    # Inside a good answer.
    ErrorRule("CONFLICT", Invalid, "nothing was merged: two of the objects have different values in one field; merge "
              "them at the portal", "crm.entity.mergeBatch", methods=("crm.entity.mergebatch",)),
    ErrorRule("ERROR", Invalid, "check at the portal which of the objects are left", "crm.entity.mergeBatch",
              methods=("crm.entity.mergebatch",), ran="unknown"),
    # The arguments.
    ErrorRule("INVALID_REQUEST", Invalid, "write https:// in Portal (host)", _SYSTEM, text="https required"),
    ErrorRule("INVALID_REQUEST", Invalid, "", f"{_SYSTEM}; oauth pages"),
    ErrorRule("WRONG_ENCODING", Invalid, "a field holds text that is not UTF-8; ask for fewer fields to find it",
              _SERVER, ran="yes"),
    ErrorRule("SALE_PAYMENT_DELETE_EXIST_PAID", Invalid, "the payment is paid; unpay it first", _SERVER,
              paid=True),
    ErrorRule("ERROR_BATCH_LENGTH_EXCEEDED", Invalid, "", _SYSTEM),
    ErrorRule("CODE_EMPTY", Invalid, "", "api-reference/common/system/feature-get.md"),
    ErrorRule("ERROR_EVENT_NOT_FOUND", Invalid, "", "api-reference/events/event-bind.md"),
    ErrorRule("ERROR_ARGUMENT", Invalid, "", _METHODS),
    ErrorRule("INTERNAL_WRONG_TRANSPORT", Invalid, "", _SERVER),
    ErrorRule("MAIN_CONTROLLER_22001", Invalid, "", _SERVER),
    ErrorRule("100", Invalid, "check the names in filter, order and select; write them as in the method's answer, e.g. "
              "paid", _SERVER, text=r"unknown field definition .*"),
    ErrorRule("100", Invalid, "give the parameter taskId, letter by letter", _METHODS,
              text="CTaskItem All parameters.*", methods=("tasks.task.*",)),
    ErrorRule("100", Invalid, "a required parameter is missing or has the wrong type", _METHODS),
    ErrorRule("ENTITY_TYPE_NOT_SUPPORTED", Invalid, "", _METHODS),
    ErrorRule("INVALID_ARG_VALUE", Invalid, "", _METHODS),
    ErrorRule("MAX_IMPORT_BATCH_SIZE_EXCEEDED", Invalid, "", _METHODS),
    ErrorRule("CRM_FIELD_ERROR_VALUE_NOT_VALID", Invalid, "", _METHODS),
    ErrorRule("CRM_FIELD_ERROR_REQUIRED", Invalid, "", _METHODS),
    ErrorRule("WRONG_DATETIME_FORMAT", Invalid, "", _METHODS),
    *(
        ErrorRule(f"{_V3}{code}", Invalid, "", "api-reference/rest-v3.md; method pages")
        for code in (
            "VALIDATION_REQUESTVALIDATIONEXCEPTION", "VALIDATION_DTOVALIDATIONEXCEPTION",
            "VALIDATION_REQUESTFILTERVALIDATIONEXCEPTION", "INVALIDJSONEXCEPTION", "INVALIDSELECTEXCEPTION",
            "INVALIDFILTEREXCEPTION", "INVALIDORDEREXCEPTION", "INVALIDPAGINATIONEXCEPTION",
            "UNKNOWNDTOPROPERTYEXCEPTION", "UNKNOWNFILTEROPERATOREXCEPTION", "IDEMPOTENCYKEYREUSEDEXCEPTION",
            "INVALIDIDEMPOTENCYKEYEXCEPTION", "WRONGHTTPREQUESTMETHODEXCEPTION",
        )
    ),
)  # fmt: skip

#: What the generic codes mean by their exact text. Texts that the server translates are here in English and, where
#: they are known, in Russian; a portal in another language sends texts that are not here.
TEXTS: tuple[ErrorRule, ...] = (
    ErrorRule("", Forbidden, f"there is no payment with this id, or {_ORDER_RIGHT}; this portal does not say which",
              f"{_PAYMENTS}; {_SERVER}", text="insufficient permissions", methods=_PAYMENT, ambiguous=True),
    # Tasks: what is checked before anything is written.
    ErrorRule("", Invalid, "give the id of a task, a whole number above 0", "tasks.task.update",
              text=rf"wrong task id{_INTERNAL}", methods=_TASKS, ran="no"),
    ErrorRule("", Forbidden, _NO_TASK, "tasks.task.complete and its sisters",
              text=rf"(action on the task is not allowed|действие над задачей не разрешено|access denied){_INTERNAL}",
              methods=_TASKS, ran="no", ambiguous=True),
    ErrorRule("", Invalid, "", "tasks.task.add, tasks.task.update",
              text="task title (is )?not specified|responsible person (is )?not specified|(incorrect|invalid) status"
              "|(the )?user specified in the .(responsible|assignee|executor). field (was )?not found"
              "|(the )?task specified in the .parent task. field (was )?not found"
              "|the end date (specified )?in (the )?scheduling is earlier than the start date"
              "|некорректный статус|пользователь,? указанный в поле .(исполнитель|ответственный). не найден"
              "|задача,? указанная в поле .надзадача. не найдена"
              "|в планировании сроков указана дата окончания меньшая даты старта",
              methods=("tasks.task.add", "tasks.task.update"), ran="no"),
    ErrorRule("", Invalid, "", "task.checklistitem.*, task.commentitem.*, task.elapseditem.*",
              text="tasks_error_exception_#256;.*256/te/wrong_arguments", methods=_TASK_PARTS, ran="no"),
    ErrorRule("", Forbidden, "there is no such task or part of it, or the connection's user may not do this to it; the "
              "portal does not say which", "task.checklistitem.*, task.commentitem.*, task.elapseditem.*",
              text="tasks_error_exception_#(4;.*4/te/action_not_allowed|8;.*: action not allowed;.*)"
              "|action_not_allowed", methods=_TASK_PARTS, ran="no", ambiguous=True),
    ErrorRule("", Forbidden, _NO_RIGHT, f"{_PAYMENTS}; {_SERVER}", text="insufficient permissions"),
    ErrorRule("", Forbidden, _NO_RIGHT, f"{_PAYMENTS}; {_SERVER}", text=r"access denied!?|доступ запрещ[её]н"),
    ErrorRule("", NotFound, "", _SERVER, text="payment has not been found"),
    ErrorRule("", NotFound, _NO_OBJECT, "crm.deal.delete and other CRM pages", text=_MISSING, ran="no",
              methods=("crm.*.get", "crm.*.update", "crm.*.delete")),
    ErrorRule("", NotFound, "", "crm.deal.get and other CRM pages", text=_MISSING),
    *(
        ErrorRule("", NotFound, _NO_OBJECT, "method pages", text=f"{kind} is not found", methods=(f"crm.{kind}.*",),
                  ran="no")
        for kind in ("company", "contact", "quote", "lead", "deal")
    ),
    *(
        ErrorRule("", NotFound, _NO_OBJECT, f"{family}.get", text=text, ran="no",
                  methods=(f"{family}.get", f"{family}.update", f"{family}.delete"))
        for family, text in {
            "catalog.price": "price does not exist",
            "crm.documentgenerator.document": "document not found",
            "crm.documentgenerator.template": "template not found",
            "crm.requisite": "the requisite with id '.*' is not found",
            "crm.requisite.bankdetail": "the requisitebankdetail with id '.*' is not found",
            "crm.requisite.preset": "the preset with id '.*' is not found",
            "crm.status": "status is not found|directory item not found",
            "crm.type": "(spa|smart process) not found",
        }.items()
    ),
    ErrorRule("", Invalid, "give the id of an object, a whole number above 0", "method pages",
              text="id is not defined or invalid", ran="no"),
    ErrorRule("", Invalid, "give at least one of paid and paySystemId", _SERVER, text="empty fields",
              methods=("crm.item.payment.update",)),
    ErrorRule("", NotFound, "see sale.paysystem.list for the payment systems", _SERVER,
              text="payment system has not been found", methods=("crm.item.payment.update",), referred=True),
    ErrorRule("", Blocked, "the portal's plan allows no more payments", _SERVER,
              text="you cannot create more payments on your current plan", methods=("crm.item.payment.add",)),
    ErrorRule("", Invalid, "payments exist for deals (2) and invoices (31)", _SERVER,
              text=r"unknown entity type: .*|invalid crm object type|cannot create payment for this entity",
              methods=("crm.item.payment.add",)),
    ErrorRule("", NotFound, "", f"{_PAYMENTS}; {_SERVER}",
              text=r"entity id #\S+ does not exist|entity with identifier \S* ?\S+ does not exist",
              methods=("crm.item.payment.add",)),
    ErrorRule("", ServerFault, "", _SERVER, text="payment not found", methods=("crm.item.payment.add",)),
    ErrorRule("", NotFound, "the id may belong to the other kind of item (product or delivery)", _PAYMENTS,
              text="payable item has not been found", methods=_PAYMENT_ITEMS),
    ErrorRule("", NotFound, "the row may already be paid for; see crm.item.productrow.getAvailableForPayment", _SERVER,
              text="product was not found|product item not found", methods=_PRODUCTS, referred=True),
    ErrorRule("", Invalid, "the quantity is above what is left to pay", _SERVER,
              text="insufficient product stock|insufficient product quantity to add to payment", methods=_PRODUCTS),
    ErrorRule("", Invalid, "", _SERVER, text="product quantity must be greater than zero", methods=_PRODUCTS),
    ErrorRule("", NotFound, "", _SERVER, text="order binding has not been found", methods=_PRODUCTS,
              referred=True),
    ErrorRule("", Invalid, "", _SERVER, text="entity does not support links with catalog products", methods=_PRODUCTS),
    ErrorRule("", NotFound, "see crm.item.delivery.list for the deliveries", _SERVER,
              text="shipment was not found|delivery item not found", methods=("crm.item.payment.delivery.*",),
              referred=True),
    ErrorRule("", ServerFault, "", _SERVER, text="internal delete error|set quantity internal error",
              methods=("crm.item.payment.*",)),
    ErrorRule("", Blocked, "the portal has no public site for payments", _SERVER, text="public url is not available",
              methods=("salescenter.payment.getpublicurl",)),
    ErrorRule("", Blocked, "a module is not installed at this portal", _SERVER,
              text=r"module .* is not installed|module not installed"),
    ErrorRule("", Blocked, _NO_REST, _SYSTEM,
              text=r"rest( api)? is available only (on commercial plans|by subscription)"),
)  # fmt: skip


def find_rule(code: str, description: str, *, method: str) -> ErrorRule | None:
    """Return what ``code`` with this text means for ``method``; None where it is not known."""
    code = code.strip().upper()
    rules = TEXTS if code in GENERIC_CODES else _rules_of(code)
    return next((rule for rule in rules if rule.fits(method, description)), None)


def _rules_of(code: str) -> Iterator[ErrorRule]:
    yield from (rule for rule in CODES if rule.code == code)
    # Codes of the sale and catalog modules: one digit, three digits, the class in three, five digits.
    if re.fullmatch(r"[0-9]{12}", code):
        if code[4:7] == "403":
            yield ErrorRule(
                code, Forbidden, "the connection's user needs the right to do this in the sale module", "sale pages"
            )
        elif code[4:7] == "404":
            yield ErrorRule(code, NotFound, "", "sale pages")
