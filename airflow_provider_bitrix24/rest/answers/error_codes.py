"""
What the portal's error codes and constant texts mean: the one table that ``reply.py`` classifies by.

Facts are from the Bitrix24 REST documentation (github.com/bitrix24/b24restdocs, commit
5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT, Copyright (c) 2024 Bitrix24; pages named per entry) and, where the source
says «server», from public copies of the server's modules rest, crm and sale (newest May 2026).

Codes are compared in upper case. The first entry whose code, text and method fit wins.
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

_WEBHOOK_GONE = (
    "the webhook is not accepted: its user id or code is wrong, it was deleted or its code changed, it has expired, "
    "or Bitrix24 blocked it because its address was found in public; create a new one and put it into the connection"
)
_NO_AUTH = (
    "the portal found no webhook and no token that it knows: see that the connection's host is right, then compare the "
    "webhook's user id and code with the portal's, or authorize the application again"
)
_ORDER_RIGHT = "the connection's user needs the right to change the payment's order"
_SUPPORT = "ask Bitrix24 support, or the owner of the portal"


@dataclass(frozen=True, slots=True)
class Known:
    """
    One thing that a portal may say.

    :param text: the exact text (of an English or Russian portal) that must come with the code, as a regular
        expression without case and without its final stop; None takes any text.
    :param methods: patterns of methods for which the entry holds.
    :param ran: whether the method took effect, where the class of the error does not say it.
    :param ambiguous: the portal uses the same words for two causes.
    """

    code: str
    error: type[RestError]
    next_step: str
    source: str
    text: str | None = None
    methods: tuple[str, ...] = ("*",)
    ran: Ran | None = None
    ambiguous: bool = False

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
_PLAN = r".*(commercial plan|by subscription).*"

CODES: tuple[Known, ...] = (
    # Limits: the method did not run.
    Known("QUERY_LIMIT_EXCEEDED", QueryLimitExceeded, "too many requests from this address; lower the rate", _SYSTEM),
    Known("OPERATION_TIME_LIMIT", OperationTimeLimit, "the method may run again when its ten-minute sum has dropped",
          "limits.md"),
    Known(f"{_V3}RATELIMITEXCEPTION", OperationTimeLimit,
          "the method may run again when its ten-minute sum has dropped",
          _SERVER),
    # Who calls.
    Known("EXPIRED_TOKEN", ExpiredToken, "the access token must be renewed", _SYSTEM),
    Known("INVALID_TOKEN", ExpiredToken, "the access token must be renewed",
          "settings/cloud-and-on-premise/on-premise/custom-auth-provider.md"),
    Known("NO_AUTH_FOUND", Unauthorized, _NO_AUTH, _SYSTEM),
    Known("INVALID_CREDENTIALS", Unauthorized, _WEBHOOK_GONE, f"{_SYSTEM}; {_SERVER}"),
    Known("AUTHORIZATION_ERROR", Unauthorized, "the user of the webhook or application is dismissed or may not log in",
          _SERVER),
    Known("INVALID_CLIENT", Unauthorized, "check client_id and client_secret, and that the application is installed",
          "oauth pages"),
    Known("INVALID_GRANT", Unauthorized, "authorize the application again", "oauth pages"),
    Known("CONNECTION_ERROR", ServerFault, "the portal could not reach the authorization server", _SERVER, ran="no"),
    # What the caller may do.
    Known("INSUFFICIENT_SCOPE", Forbidden, "", _SYSTEM),
    Known("INVALID_SCOPE", Forbidden, "", "oauth pages"),
    Known("USER_ACCESS_ERROR", Forbidden, "an administrator must open the application to this user", _SYSTEM),
    Known("METHOD_CONFIRM_DENIED", Forbidden, "an administrator refused this method",
          "api-reference/scopes/confirmation.md"),
    Known("ALLOWED_ONLY_INTRANET_USER", Forbidden,
          "the connection's user is of the extranet: use a webhook or application of an employee", _METHODS),
    Known("ACCESS_DENIED", Blocked, "this plan of the portal has no REST: it needs a commercial plan or a subscription",
          _SYSTEM, text=_PLAN),
    Known("ACCESS_DENIED", Forbidden,
          f"{_ORDER_RIGHT}, and a paid payment must be unpaid first; or the portal's plan has no REST",
          f"{_PAYMENTS}; {_SERVER}", methods=_PAYMENT_ITEMS),
    Known("ACCESS_DENIED", Forbidden, f"{_ORDER_RIGHT}; or the portal's plan has no REST",
          f"{_PAYMENTS}; {_SERVER}", methods=_PAYMENT[1:]),
    Known("ACCESS_DENIED", Forbidden, "the connection's user has no right to do this; or the portal's plan has no REST",
          _METHODS),
    Known(f"{_V3}ACCESSDENIEDEXCEPTION", Forbidden, "the connection's user has no right to do this",
          "api-reference/rest-v3.md"),
    Known(f"{_V3}INSUFFICIENTSCOPEEXCEPTION", Forbidden, "", "api-reference/rest-v3.md"),
    # A human at the portal.
    Known("OVERLOAD_LIMIT", Blocked,
          f"Bitrix24 has blocked this webhook or application because of overload; {_SUPPORT}", _SYSTEM),
    Known("PORTAL_DELETED", Blocked, "the portal has been deleted", _SYSTEM),
    Known("METHOD_CONFIRM_WAITING", Blocked,
          "an administrator must confirm this method for this webhook or application",
          "api-reference/scopes/confirmation.md"),
    Known("WRONG_LICENSE", Blocked, "the portal's plan lacks this feature", _SERVER),
    Known(f"{_V3}LICENSEEXCEPTION", Blocked, "the portal's plan lacks this feature", _SERVER),
    Known("APPLICATION_NOT_FOUND", Blocked, "the application is not installed or not active at this portal", _SERVER),
    Known("PAYMENT_REQUIRED", Blocked, "the application's trial or paid period is over", "oauth pages"),
    Known("INTERNAL_WRONG_HANDLER_CLASS", Blocked, f"the portal is set up wrongly; {_SUPPORT}", _SERVER),
    Known("UPDATE_DYNAMIC_ITEM_RESTRICTED", Blocked, "the portal's plan does not allow to change this item", _METHODS),
    Known("CREATE_DYNAMIC_ITEM_RESTRICTED", Blocked, "the portal's plan does not allow to create this item", _METHODS),
    # Faults of the portal: the method may have run.
    Known("INTERNAL_SERVER_ERROR", ServerFault, "", _SYSTEM),
    Known("ERROR_UNEXPECTED_ANSWER", ServerFault, "", _SYSTEM),
    Known(f"{_V3}INTERNAL_INTERNALEXCEPTION", ServerFault, "", _SERVER),
    # Not there.
    Known("NOT_FOUND", NotFound, "", _METHODS),
    Known("ERROR_NOT_FOUND", NotFound, "", _METHODS),
    Known("OWNER_NOT_FOUND", NotFound, "", _METHODS),
    Known("ERROR_MANIFEST_IS_NOT_AVAILABLE", NotFound, "", _SYSTEM),
    Known(f"{_V3}ENTITYNOTFOUNDEXCEPTION", NotFound, "", "api-reference/rest-v3.md"),
    Known("BITRIX_REST_V3_REALISATION_EXCEPTION_FIELDNOTFOUNDEXCEPTION", NotFound, "", _METHODS),
    # The method or the way of calling it.
    Known("ERROR_METHOD_NOT_FOUND", Invalid, "check the method's name; a REST 3.0 method needs version 3, and a "
          "self-hosted portal may lack the module", f"api-reference/rest-v3.md; {_SERVER}"),
    Known(f"{_V3}METHODNOTFOUNDEXCEPTION", Invalid, "check the method's name; it may be a method of version 2",
          _SERVER),
    Known("MAIN_CONTROLLER_22002", Invalid, "check the method's name", _SERVER),
    Known("WRONG_AUTH_TYPE", Invalid, "the method needs an application, not a webhook (or the other way round)",
          _METHODS),
    Known("ERROR_BATCH_METHOD_NOT_ALLOWED", Invalid, "call this method outside a batch", _SYSTEM),
    # The arguments.
    Known("INVALID_REQUEST", Invalid, "write https:// in the connection's host", _SYSTEM, text="https required"),
    Known("INVALID_REQUEST", Invalid, "", f"{_SYSTEM}; oauth pages"),
    Known("WRONG_ENCODING", Invalid, "a field holds text that is not UTF-8: ask for fewer fields to find it", _SERVER,
          ran="yes"),
    Known("SALE_PAYMENT_DELETE_EXIST_PAID", Invalid, "the payment is paid: unpay it first", _SERVER),
    Known("ERROR_BATCH_LENGTH_EXCEEDED", Invalid, "", _SYSTEM),
    Known("CODE_EMPTY", Invalid, "", "api-reference/common/system/feature-get.md"),
    Known("ERROR_EVENT_NOT_FOUND", Invalid, "", "api-reference/events/event-bind.md"),
    Known("ERROR_ARGUMENT", Invalid, "", _METHODS),
    Known("INTERNAL_WRONG_TRANSPORT", Invalid, "", _SERVER),
    Known("MAIN_CONTROLLER_22001", Invalid, "", _SERVER),
    Known("100", Invalid, "check the names in filter, order and select: as the method answers them, e.g. paid",
          _SERVER, text=r"unknown field definition .*"),
    Known("100", Invalid, "a required parameter is missing or of a wrong type", _METHODS),
    Known("ENTITY_TYPE_NOT_SUPPORTED", Invalid, "", _METHODS),
    Known("INVALID_ARG_VALUE", Invalid, "", _METHODS),
    Known("MAX_IMPORT_BATCH_SIZE_EXCEEDED", Invalid, "", _METHODS),
    Known("CRM_FIELD_ERROR_VALUE_NOT_VALID", Invalid, "", _METHODS),
    Known("CRM_FIELD_ERROR_REQUIRED", Invalid, "", _METHODS),
    Known("WRONG_DATETIME_FORMAT", Invalid, "", _METHODS),
    *(
        Known(f"{_V3}{code}", Invalid, "", "api-reference/rest-v3.md; method pages")
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
#: they are known, in Russian; a portal that speaks another language says something that is not here.
TEXTS: tuple[Known, ...] = (
    Known("", Forbidden, f"there is no payment with this id, or {_ORDER_RIGHT}; this portal says the same for both",
          f"{_PAYMENTS}; {_SERVER}", text="insufficient permissions", methods=_PAYMENT, ambiguous=True),
    Known("", Forbidden, "the connection's user has no right to do this", f"{_PAYMENTS}; {_SERVER}",
          text="insufficient permissions"),
    Known("", Forbidden, "the connection's user has no right to do this", f"{_PAYMENTS}; {_SERVER}",
          text=r"access denied!?|доступ запрещ[её]н"),
    Known("", NotFound, "", _SERVER, text="payment has not been found"),
    Known("", NotFound, "", "crm.deal.get and other CRM pages", text="not found|элемент не найден"),
    Known("", Invalid, "name at least one of paid and paySystemId", _SERVER, text="empty fields",
          methods=("crm.item.payment.update",)),
    Known("", NotFound, "see sale.paysystem.list for the payment systems", _SERVER,
          text="payment system has not been found", methods=("crm.item.payment.update",)),
    Known("", Blocked, "the portal's plan allows no more payments", _SERVER,
          text="you cannot create more payments on your current plan", methods=("crm.item.payment.add",)),
    Known("", Invalid, "payments exist for deals (2) and invoices (31)", _SERVER,
          text=r"unknown entity type: .*|invalid crm object type|cannot create payment for this entity",
          methods=("crm.item.payment.add",)),
    Known("", NotFound, "", f"{_PAYMENTS}; {_SERVER}",
          text=r"entity id #\S+ does not exist|entity with identifier \S* ?\S+ does not exist",
          methods=("crm.item.payment.add",)),
    Known("", ServerFault, "", _SERVER, text="payment not found", methods=("crm.item.payment.add",)),
    Known("", NotFound, "the id may be of the other kind (product, delivery)", _PAYMENTS,
          text="payable item has not been found", methods=_PAYMENT_ITEMS),
    Known("", NotFound, "the row may be paid for already: see crm.item.productrow.getAvailableForPayment", _SERVER,
          text="product was not found|product item not found", methods=("crm.item.payment.product.*",)),
    Known("", Invalid, "the quantity is above what is left to pay", _SERVER,
          text="insufficient product stock|insufficient product quantity to add to payment",
          methods=("crm.item.payment.product.*",)),
    Known("", Invalid, "", _SERVER, text="product quantity must be greater than zero",
          methods=("crm.item.payment.product.*",)),
    Known("", NotFound, "", _SERVER, text="order binding has not been found", methods=("crm.item.payment.product.*",)),
    Known("", Invalid, "", _SERVER, text="entity does not support links with catalog products",
          methods=("crm.item.payment.product.*",)),
    Known("", NotFound, "see crm.item.delivery.list for the deliveries", _SERVER,
          text="shipment was not found|delivery item not found", methods=("crm.item.payment.delivery.*",)),
    Known("", ServerFault, "", _SERVER, text="internal delete error|set quantity internal error",
          methods=("crm.item.payment.*",)),
    Known("", Blocked, "the portal has no public site for payments", _SERVER, text="public url is not available",
          methods=("salescenter.payment.getpublicurl",)),
    Known("", Blocked, "a module is missing at this portal", _SERVER,
          text=r"module .* is not installed|module not installed"),
    Known("", Blocked, "this plan of the portal has no REST: it needs a commercial plan or a subscription", _SYSTEM,
          text=r"rest( api)? is available only (on commercial plans|by subscription)"),
)  # fmt: skip


def known(code: str, description: str, *, method: str) -> Known | None:
    """What ``code`` with this text means for ``method``; None where nobody knows."""
    code = code.strip().upper()
    if code in GENERIC_CODES:
        return next((entry for entry in TEXTS if entry.fits(method, description)), None)
    for entry in _entries(code):
        if entry.fits(method, description):
            return entry
    return None


def _entries(code: str) -> Iterator[Known]:
    yield from (entry for entry in CODES if entry.code == code)
    # Codes of the sale and catalog modules: one digit, three digits, the class in three, five digits.
    if re.fullmatch(r"[0-9]{12}", code):
        if code[4:7] == "403":
            yield Known(
                code, Forbidden, "the connection's user needs the right of the sale module to do this", "sale pages"
            )
        elif code[4:7] == "404":
            yield Known(code, NotFound, "", "sale pages")
