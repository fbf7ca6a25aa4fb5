"""
Parameters that must have their documented shape, because the portal answers ``true`` and loses what has another one.

Source: pages "crm.deal.productrows.set", "crm.item.productrow.set", "crm.deal.contact.items.set" and "crm.contact.add",
and the server's source: a missing or unreadable list replaces the whole by nothing, and a multi-field that is not a
list of objects is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.crm import multifields
from airflow_provider_bitrix24.crm.id_lists import OLD_NAMES, check_ids, is_id
from airflow_provider_bitrix24.crm.values import is_nothing
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import CARRIERS, is_blank_text, nothing_hint
from airflow_provider_bitrix24.rest.scalars import native, without_arrays

#: Methods that replace all of an object's rows or relations, and the parameter that holds the new ones.
_REPLACING = (
    (re.compile(r"crm\.[a-z]+\.productrows\.set"), "rows"),
    (re.compile(r"crm\.item\.productrow\.set"), "productRows"),
    (re.compile(r"crm\.[a-z]+\.(contact|company)\.items\.set"), "items"),
)
#: The same parameters, in lower case.
REPLACED = frozenset(name.lower() for _, name in _REPLACING)
#: How the names in such rows are spelled.
_ROW_NAMES = {
    "rows": re.compile(r"[A-Z0-9_]+"),
    "productRows": re.compile(r"[a-z][A-Za-z0-9]*"),
    "items": re.compile(r"[A-Z0-9_]+"),
}
_ROW_HINTS = {
    "rows": "write names such as PRODUCT_NAME and PRICE",
    "productRows": "write names such as productName and price",
    "items": "write names such as CONTACT_ID or COMPANY_ID, and IS_PRIMARY",
}
#: What a row costs and how much of it there is: where one of these has no value, the portal writes 0.
_AMOUNTS = frozenset({"PRICE", "PRICEEXCLUSIVE", "PRICENETTO", "PRICEBRUTTO", "QUANTITY"})
#: What else a row may have ("crm.deal.productrows.set", "crm.deal.productrows.get").
_OTHER_NAMES = frozenset(
    {
        *("ID", "OWNERID", "OWNERTYPE", "PRODUCTID", "PRODUCTNAME", "ORIGINALPRODUCTNAME", "PRODUCTDESCRIPTION"),
        *("DISCOUNTTYPEID", "DISCOUNTRATE", "DISCOUNTSUM", "TAXRATE", "TAXINCLUDED", "CUSTOMIZED"),
        *("MEASURECODE", "MEASURENAME", "SORT", "XMLID", "TYPE", "STOREID"),
    }
)
_OLD_WITH_MULTIFIELDS = re.compile(r"crm\.(lead|contact|company)\.(add|update)")
_OLD_WITH_ID_LISTS = re.compile(r"crm\.(lead|deal|contact|company|quote)\.(add|update)")


#: How an author says that an empty list is meant.
_SAY_EMPTY = "write [] in the DAG or set clear=True if that is meant; else check where it came from"


def check_shapes(
    method: str,
    params: Mapping[str, Any],
    *,
    may_empty: bool = False,
    references: bool = False,
    say_empty: str = _SAY_EMPTY,
) -> None:
    """
    Check what a method is about to be given.

    :param may_empty: the author has said that an empty list is meant, where it removes everything.
    :param references: a text such as ``$result[…]`` stands for what an earlier command of the batch answers.
    :param say_empty: how the author can say so, for the message.
    :raises ConfigurationError: the portal would lose what was given, or remove what is there.
    """
    params = without_arrays(params)
    if method.lower().endswith(".add") or method.lower() == "crm.item.import":
        _check_value(method, params)
    if replaced := replaced_in(method):
        _check_replacement(method, replaced, params, references, "" if may_empty else say_empty)
    for name, value in params.items():
        if name.lower() not in ("fields", "arfields") or not isinstance(value, Mapping):
            continue
        if _OLD_WITH_MULTIFIELDS.fullmatch(method.lower()):
            _check_multifields(method, value, references)
        if _OLD_WITH_ID_LISTS.fullmatch(method.lower()):
            for field in OLD_NAMES.intersection(value):
                check_ids(field, value[field], method, references=references)


def _check_value(method: str, params: Mapping[str, Any]) -> None:
    """:raises ConfigurationError: nothing in ``fields`` has a value: an empty object would be added."""
    for name, value in params.items():
        if name.lower() not in ("fields", "arfields") or not isinstance(value, (Mapping, list, tuple)):
            continue
        if not _has_value(value):
            wrong = "is empty" if not value else "has no value"
            raise ConfigurationError(
                f"{name} {wrong}, and an empty object would be added", method=method, next_step="give a field a value"
            )


def _has_value(value: Any) -> bool:
    if isinstance(value, Mapping):
        # An entry of a phone, or an amount of money, is nothing without its value, whatever else it has.
        carriers = [member for name, member in value.items() if str(name).lower() in CARRIERS]
        return any(map(_has_value, carriers or value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_value, value))
    return not (is_nothing(value) or is_blank_text(value))


def replaced_in(method: str) -> str | None:
    """The parameter whose list replaces everything; None for methods that replace nothing."""
    return next((name for pattern, name in _REPLACING if pattern.fullmatch(method.lower())), None)


def is_written_empty(method: str, written: Any) -> bool:
    """Whether the DAG file itself has an empty list where that removes everything."""
    name = replaced_in(method)
    if name is None or not isinstance(written, Mapping):
        return False
    return any(str(key).lower() == name.lower() and _is_empty_list(value) for key, value in written.items())


def _is_empty_list(value: Any) -> bool:
    # An array is a list, and compared with one it answers an array.
    return isinstance(made := native(value), list) and not made


def _check_replacement(method: str, name: str, params: Mapping[str, Any], references: bool, say_empty: str) -> None:
    # Old methods read the names of parameters in any case, crm.item.productrow.set reads one spelling.
    spelled = [key for key in params if key == name or (name != "productRows" and key.lower() == name)]
    hint = f'write {{"{name}": [{{…}}, …]}}'
    if not spelled:
        others = ", ".join(params) or "none"
        raise ConfigurationError(
            f"the parameter {name} is missing (given: {others}), and the portal would remove what is there",
            method=method,
            next_step=hint,
        )
    rows = params[spelled[0]]
    if references and isinstance(rows, str) and has_reference(rows):
        return
    if say_empty and is_nothing(rows):
        what = "an empty list" if isinstance(rows, (list, tuple)) else "empty"
        raise ConfigurationError(
            f"{spelled[0]} is {what}, which removes everything that is there",
            method=method,
            next_step=say_empty,
        )
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) and row for row in rows):
        raise ConfigurationError(
            f"{spelled[0]} is not a list of objects, but {preview(rows)}, and the portal would remove what is there",
            method=method,
            next_step=hint,
        )
    known = _ROW_NAMES[name]
    for number, row in enumerate(rows):
        wrong = [str(key) for key in row if not known.fullmatch(str(key))]
        if wrong:
            raise ConfigurationError(
                f"{spelled[0]}[{number}] names {wrong[0]!r}, which the portal would silently drop",
                method=method,
                next_step=_ROW_HINTS[name],
            )
        _check_ids_in(row, f"{spelled[0]}[{number}]", name, method, references)
        if name != "items":
            _check_amounts(row, f"{spelled[0]}[{number}]", method)


def _check_amounts(row: Mapping[str, Any], place: str, method: str) -> None:
    """:raises ConfigurationError: the portal would write a price or a quantity of 0 that nobody has given."""
    folded = {str(key).replace("_", "").upper(): str(key) for key in row}
    for key in _AMOUNTS.intersection(folded):
        value = row[folded[key]]
        if not _has_value(value):
            raise ConfigurationError(
                f"{place} has no value for {folded[key]}, but {preview(value)}, and the portal would write 0",
                method=method,
                next_step=f"give {folded[key]} a number; 0 where that is meant",
            )
    others = [folded[key] for key in folded.keys() - _AMOUNTS - _OTHER_NAMES]
    if others and not any(key.startswith("PRICE") for key in folded):
        raise ConfigurationError(
            f"{place} names {sorted(others)[0]!r}, which is not known here, and has no price: the portal would "
            "silently drop the one and write 0 for the other",
            method=method,
            next_step=f"give {'price' if 'productName' in row or 'productId' in row else 'PRICE'}",
        )


def _check_ids_in(row: Mapping[str, Any], place: str, name: str, method: str, references: bool) -> None:
    """:raises ConfigurationError: the portal would leave the entry out, or make an empty row of it."""

    def is_reference(value: Any) -> bool:
        return references and isinstance(value, str) and has_reference(value)

    if name == "items":
        key = "CONTACT_ID" if ".contact.items." in method.lower() else "COMPANY_ID"
        value = row.get(key)
        wrong = not (is_id(value) or is_reference(value))
    else:
        key, title = ("productId", "productName") if name == "productRows" else ("PRODUCT_ID", "PRODUCT_NAME")
        value = row.get(key)
        # A row of a product that is not in the catalog has a name, and the id 0 or none.
        is_named = str(row.get(title) or "").strip() != "" or not {key, title} & set(row)
        wrong = not (is_id(value) or is_reference(value) or (is_named and value in (None, "", 0, "0")))
    if wrong:
        raise ConfigurationError(
            f"{place} has {key + ' ' + preview(value) if key in row else 'no ' + key}, and an id above 0 is needed "
            "there: the portal would leave the entry out and remove what is there",
            method=method,
            next_step=nothing_hint(value) or f"give {key}",
        )


def _check_multifields(method: str, fields: Mapping[str, Any], references: bool) -> None:
    for name, value in fields.items():
        is_reference = references and isinstance(value, str) and has_reference(value)
        if name not in multifields.OLD_FIELDS or value is None or is_reference:
            continue
        members = list(value.values()) if isinstance(value, Mapping) else value
        is_one_entry = isinstance(value, Mapping) and not all(isinstance(member, Mapping) for member in members)
        if is_one_entry or not isinstance(members, (list, tuple)) or not all(map(_is_entry, members)):
            raise ConfigurationError(
                f"{name} is {preview(value)}, which the portal would silently drop",
                method=method,
                next_step=f'write {{"{name}": [{{"VALUE": "…", "VALUE_TYPE": "WORK"}}]}}',
            )
        for member in members:
            multifields.check_names(name, member, multifields.OLD_NAMES, method)


def _is_entry(member: Any) -> bool:
    return isinstance(member, Mapping) and any(str(key) in ("VALUE", "ID", "DELETE") for key in member)
