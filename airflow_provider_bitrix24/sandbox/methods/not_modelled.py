"""Documented parameters that the sandbox does not carry out: a call with one of them is refused, naming it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Params, not_modelled

_NOTHING: tuple[Any, ...] = (None, "", "N", "0", 0, False, [], {})

_WEBDAV = ("fields.WEBDAV_ELEMENTS",)
_IMPORT = ("params.IMPORT",)

#: What stands before the field in a condition of a filter.
_PREFIXES = "!<>=@%"

#: Method -> places of its parameters; ``*`` is every entry of a list.
PLACES: Mapping[str, tuple[str, ...]] = {
    **{f"crm.activity.{action}": _WEBDAV for action in ("add", "update")},
    # Only the pages of companies, contacts and quotes say what an import sets.
    **{f"crm.{kind}.add": _IMPORT for kind in ("deal", "lead")},
    "crm.documentgenerator.document.add": ("fields",),
    "crm.quote.productrows.set": ("rows.*.PRODUCT_DESCRIPTION",),
    **{f"user.{action}": ("PERSONAL_PHOTO", "WORK_LOGO") for action in ("add", "update")},
    **{f"lists.{action}": ("FIELDS.PICTURE",) for action in ("add", "update")},
    **{
        f"lists.section.{action}": tuple(f"FIELDS.{name}" for name in ("PICTURE", "DETAIL_PICTURE", "SECTION_PROPERTY"))
        for action in ("add", "update")
    },
    "lists.element.get": tuple(
        f"FILTER.{name}"
        for name in (
            "ACTIVE_TO",
            "BP_PUBLISHED",
            *(f"{part}_TEXT{end}" for part in ("PREVIEW", "DETAIL") for end in ("", "_TYPE")),
        )
    ),
    "tasks.task.list": (
        *(f"params.WITH_{part}" for part in ("RESULT_INFO", "TIMER_INFO", "PARSED_DESCRIPTION")),
        *(f"filter.{name}" for name in ("::SUBFILTER-PARAMS", "DEPENDS_ON", "ONLY_ROOT_TASKS", "TAG")),
    ),
}
_BY_METHOD = {method: tuple(place.lower().split(".") for place in places) for method, places in PLACES.items()}


def check_modelled(method: str, params: Params) -> None:
    """:raises Refusal: a parameter that the sandbox knows, and does not model."""
    for place in _BY_METHOD.get(method, ()):
        for value in _values(params, place):
            # A condition selects rows by nothing, too.
            if value not in _NOTHING or place[0] == "filter":
                raise not_modelled(f"{method}: the sandbox does not model the parameter {'.'.join(place)}")


def _values(value: Any, place: list[str]) -> Iterator[Any]:
    if not place:
        yield value
        return
    for name, part in as_map(value).items():
        if place[0] in ("*", name.lower().lstrip(_PREFIXES)):
            yield from _values(part, place[1:])
