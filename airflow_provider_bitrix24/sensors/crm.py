"""A sensor for CRM items (``crm.item.*``): deals, leads, contacts, companies, quotes, invoices, smart processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import FIND_ITEM_ID, GET, LIST, fields_of
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, conditions, positive_id
from airflow_provider_bitrix24.execution.literals import Check, is_literal
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.sensors.base_sensor import Bitrix24BaseSensor

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import ItemFields
    from airflow_provider_bitrix24.crm.values import ItemField
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.triggers.condition import Condition
    from airflow_provider_bitrix24.triggers.watch import Watch


class Bitrix24ItemSensor(Bitrix24BaseSensor):
    """
    Wait until a CRM item exists, a field of it has a value, or enough items match a filter.

    With ``item_id`` it returns the item as it was seen; with ``item_filter``, the first 50 items by their ids,
    ``{"total": 3, "items": [{"id": 7}, …]}``, ``total`` None where there may be more.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param item_id: the id of one item; templated.
    :param item_filter: or which items, see :class:`Bitrix24ListItemsOperator`; templated.
    :param condition: of an item, ``{"result_path": "stageId", "operator": "=", "value": "WON"}`` with the name of a
        field in any spelling; without one, that the item exists. Of a filter, ``"any row"`` (the default) or
        ``"count >= 3"``. Templated.
    :param fail_when: a condition with which the waiting is over and the task fails, without retry, e.g.
        ``{"result_path": "stageSemanticId", "operator": "=", "value": "F"}`` for any failure stage; templated.
    :param deferrable: wait in the triggerer and hold no worker; as ``[operators] default_deferrable`` says by default.
    :param tolerated_failures: see :class:`Bitrix24BaseSensor`, as for Airflow's own arguments of every sensor.
    :raises AirflowFailException: it can no longer come true (``fail_when``, an item with a condition that is not there,
        a missing right), or an argument is wrong.
    :raises AirflowSensorTimeout: it did not come true within ``timeout``; not retried.
    :raises Bitrix24Error: the network or a fault of the portal, more often than ``tolerated_failures``: the task's
        ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.get``, ``crm.item.list``, ``crm.item.fields``.
    """

    template_fields: Sequence[str] = (
        "entity_type_id",
        "item_id",
        "item_filter",
        "condition",
        "fail_when",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "item_filter": "json",
        "condition": "json",
        "fail_when": "json",
    }

    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id}

    def __init__(
        self,
        *,
        entity_type_id: int | str,
        item_id: int | str | NotGiven = NOT_GIVEN,
        item_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        condition: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        fail_when: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.item_id = self.given(item_id, "item_id")
        self.item_filter = self.given(item_filter, "item_filter")
        self.condition = self.given(condition, "condition")
        self.fail_when = self.given(fail_when, "fail_when")
        self.check_literals(item_id=FIND_ITEM_ID)

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            self._check_what()
            for name in ("condition", "fail_when"):
                if self.is_given(name) and is_literal(given := getattr(self, name)) and given is not None:
                    self._check_kind(self.condition_in(name), name)

    def _check_what(self) -> None:
        """:raises ConfigurationError: it is not clear what is waited for."""
        if self.is_given("item_id") == self.is_given("item_filter"):
            raise ConfigurationError(
                "one of item_id and item_filter is needed, and not both",
                next_step="give item_id to wait for one item, or item_filter to wait for items that match",
            )

    def _check_kind(self, condition: Condition | None, name: str) -> None:
        """:raises ConfigurationError: a condition on a field where items are counted, or the other way round."""
        if condition is None:
            return
        if self.is_given("item_filter"):
            if not condition.counts or condition.result_path is not None:
                raise ConfigurationError(
                    f"{name} is about a field, but item_filter finds many items",
                    next_step=f'put the field into item_filter, and write "any row" or "count >= 3" as {name}',
                )
        elif condition.counts or not condition.result_path:
            raise ConfigurationError(
                f"{name} counts rows, but item_id is one item",
                next_step='write e.g. {"result_path": "stageId", "operator": "=", "value": "WON"}, or give item_filter',
            )

    def watch(self, client: Client) -> Watch:
        # Only the run needs it.
        from airflow_provider_bitrix24.triggers.watch import Watch

        type_id = entity_type_id(self.entity_type_id)
        self._check_what()
        wanted = {name: self.condition_in(name) for name in ("condition", "fail_when")}
        for name, given in wanted.items():
            self._check_kind(given, name)
        if self.item_filter is not None:
            return self._watch_of_filter(client, type_id, **wanted)
        item_id = positive_id(self.item_id, "item_id", FIND_ITEM_ID)
        fields = fields_of(client, type_id)
        condition, fail_when = (given and _of_field(fields, given, name) for name, given in wanted.items())
        return Watch(
            GET,
            {"entityTypeId": type_id, "id": item_id},
            condition,
            fail_when,
            reads="item",
            if_missing="wait" if condition is None else "fail",
            hint=FIND_ITEM_ID,
        )

    def _watch_of_filter(
        self, client: Client, type_id: int, condition: Condition | None, fail_when: Condition | None
    ) -> Watch:
        # Only the run needs them.
        from airflow_provider_bitrix24.triggers.condition import Condition
        from airflow_provider_bitrix24.triggers.watch import PAGE_ROWS, Watch

        # What is wrong in it by itself is found before the portal is asked for its fields.
        filter_ = _item_filter(self.item_filter)
        counted = {"condition": condition or Condition.of("any row", "condition"), "fail_when": fail_when}
        params = {
            "entityTypeId": type_id,
            "filter": fields_of(client, type_id).filter(filter_),
            "select": ["id"],
            "order": {"id": "ASC"},
        }
        if all(given is None or given.value < PAGE_ROWS for given in counted.values()):
            # The portal does not count then, which takes long in a large one.
            params["start"] = -1
        return Watch(LIST, params, counted["condition"], fail_when, reads="items")

    def believes(self, seen: Any) -> bool:
        if self.item_id is None:
            return isinstance(seen, Mapping) and isinstance(seen.get("items"), list)
        # An item that is too large for XCom is not shown.
        return seen is None or (isinstance(seen, Mapping) and str(seen.get("id")) == str(self.item_id).strip())


def _item_filter(given: Any) -> dict[str, Any]:
    """:raises ConfigurationError: it is empty, or would not mean what it says, see :func:`check_conditions`."""
    # Only the run needs it.
    from airflow_provider_bitrix24.rest.conditions import check_conditions

    filter_ = conditions(given, "item_filter")
    check_conditions(filter_, "item_filter", drops_empty_lists=True)
    return filter_


def _of_field(fields: ItemFields, condition: Condition, name: str) -> Condition:
    """
    A condition under the portal's name of its field, with values in the type of the field.

    :raises ConfigurationError: it names no field, or its value does not fit.
    """
    field = fields.find(condition.result_path or "", name)
    value = condition.value
    if isinstance(value, list):
        value = [_of_type(field, member) for member in value]
    elif value is not None:
        value = _of_type(field, value)
    return replace(condition, result_path=field.name, value=value)


def _of_type(field: ItemField, value: Any) -> Any:
    # Only the run needs it.
    from airflow_provider_bitrix24.crm.values import to_filter, typed

    if field.type == "money":
        return value
    single = replace(field, is_multiple=False)
    meant = to_filter(single, value)
    # CRM writes a day as midnight UTC, in its server's offset ("value conventions").
    return f"{meant}T00:00:00+00:00" if field.type == "date" else typed(single, meant)
