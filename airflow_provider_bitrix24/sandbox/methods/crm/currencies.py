"""``crm.currency.*``: currencies, their rates and how they are written. Source: pages under ``crm/currency``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.crm.items import description
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied
from airflow_provider_bitrix24.sandbox.methods.records import Records
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import read_order, sort_rows
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_CURRENCIES = Records("currency", "old", "")
_LOCALIZATIONS = Records("currency_localization", "old", "")
#: Of the localization in the portal's language; an answer has them beside the rate.
_SHOWN = ("FORMAT_STRING", "FULL_NAME", "DEC_POINT", "THOUSANDS_SEP", "DECIMALS")


def _answer(portal: PortalState, row: Row, *, whole: bool) -> Row:
    answer = {name: value for name, value in _CURRENCIES.answer(row).items() if name != "LANG"}
    answer["AMOUNT"] = f"{row['AMOUNT']:.4f}"
    answer.update({name: _localization(row, portal.settings.language).get(name) for name in _SHOWN})
    if whole:
        answer["LANG"] = {language: _localized(own) for language, own in row["LANG"].items()}
    return answer


def _localization(row: Row, language: str) -> Row:
    languages = row["LANG"]
    return _localized(languages.get(language) or next(iter(languages.values()), {}))


def _localized(own: Row) -> Row:
    return {name: None if own.get(name) is None else str(own[name]) for name in _LOCALIZATIONS.specs}


def _found(portal: PortalState, params: Params, missing: str) -> Row:
    code = str(params.get("ID") or "")
    row = next((row for row in portal.store.currencies if row["CURRENCY"] == code), None)
    if row is None:
        raise Refusal("", missing)
    return row


_NO_ID = "The parameter id is invalid or not defined."


def _check(user: User, right: str) -> None:
    if not user.may(right):
        raise denied()


@method("crm.currency.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "read")
    return {name: description(spec, "old") for name, spec in _CURRENCIES.specs.items()}


@method("crm.currency.localizations.fields", scope="crm")
def localization_fields(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "read")
    return {name: description(spec, "old") for name, spec in _LOCALIZATIONS.specs.items()}


@method("crm.currency.list", scope="crm", upper=True)
def list_(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "read")
    # Names of the order in any case (example of the page).
    order = {name.upper(): direction for name, direction in array_or_nothing(params.get("ORDER"), "ORDER").items()}
    pairs = read_order(order or {"SORT": "ASC"}, _CURRENCIES.filter_fields, None)
    rows = sort_rows(list(portal.store.currencies), pairs)
    # The whole directory in one answer, of which the page prints no total.
    return Page([_answer(portal, row, whole=False) for row in rows], 0)


@method("crm.currency.get", scope="crm", upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "read")
    return _answer(portal, _found(portal, params, "Not found"), whole=True)


@method("crm.currency.add", scope="crm", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "change")
    given = as_map(params.get("FIELDS"))
    code = str(given.get("CURRENCY") or "").upper()
    if len(code) != 3 or any(row["CURRENCY"] == code for row in portal.store.currencies):
        raise Refusal("ERROR_CORE", "The currency code is invalid or exists already.")
    row: Row = {"CURRENCY": code, "AMOUNT_CNT": 1, "AMOUNT": 1.0, "SORT": 100, "BASE": "N", "LANG": {}}
    _write(portal, row, given)
    portal.store.currencies.add(row)
    return code


def _write(portal: PortalState, row: Row, given: Row) -> None:
    own = {name: value for name, value in given.items() if name not in ("CURRENCY", "BASE", "LANG")}
    row.update(_CURRENCIES.written(portal.store, own))
    row.update(AMOUNT=float(row["AMOUNT"]), DATE_UPDATE=portal.clock.iso(), LID=portal.settings.language)
    for language, localization in as_map(given.get("LANG")).items():
        row["LANG"][language] = {**row["LANG"].get(language, {}), **as_map(localization)}
    if given.get("BASE") == "Y":
        _make_base(portal, row)


def _make_base(portal: PortalState, row: Row) -> None:
    for other in portal.store.currencies:
        other["BASE"] = "N"
    row["BASE"] = "Y"


@method("crm.currency.update", scope="crm", upper=True)
def update(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "change")
    _write(portal, _found(portal, params, _NO_ID), as_map(params.get("FIELDS")))
    return True


@method("crm.currency.delete", scope="crm", upper=True)
def delete(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "change")
    row = _found(portal, params, "")
    if row["BASE"] == "Y":
        raise Refusal("", "Cannot delete base currency.")
    portal.store.currencies.remove(row["id"])
    return True


@method("crm.currency.base.get", scope="crm")
def base(portal: PortalState, user: User, params: Params) -> Any:
    return next(row["CURRENCY"] for row in portal.store.currencies if row["BASE"] == "Y")


@method("crm.currency.base.set", scope="crm", upper=True)
def set_base(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "change")
    _make_base(portal, _found(portal, params, _NO_ID))
    return True


@method("crm.currency.localizations.get", scope="crm", upper=True)
def localizations(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "read")
    row = _found(portal, params, _NO_ID)
    return {language: _localized(own) for language, own in row["LANG"].items()}


@method("crm.currency.localizations.set", scope="crm", upper=True)
def set_localizations(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "change")
    row = _found(portal, params, _NO_ID)
    _write(portal, row, {"LANG": params.get("LOCALIZATIONS")})
    return True


@method("crm.currency.localizations.delete", scope="crm", upper=True)
def delete_localizations(portal: PortalState, user: User, params: Params) -> Any:
    _check(user, "change")
    row = _found(portal, params, _NO_ID)
    for language in as_map(params.get("LIDS")).values():
        row["LANG"].pop(str(language), None)
    return True
