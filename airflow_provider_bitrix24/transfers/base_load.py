"""What operators that carry the rows of a list to a store share: which list, which columns, which window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.children import CHILDREN, check_owners
from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import LIST, fields_of
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    conditions,
    flag,
    flag_or_names,
    names,
    number_within,
    one_of,
    required,
)
from airflow_provider_bitrix24.execution.base_operator import LIST_STARTS_OVER
from airflow_provider_bitrix24.execution.commands import check_is_read, parameters_of
from airflow_provider_bitrix24.execution.lineage import TransferOperator
from airflow_provider_bitrix24.execution.literals import Check, is_literal
from airflow_provider_bitrix24.execution.rendered import check_filter, check_lost_values
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome

if TYPE_CHECKING:
    from airflow_provider_bitrix24.exports.labels import Labels
    from airflow_provider_bitrix24.exports.load import Load
    from airflow_provider_bitrix24.exports.sources import Source
    from airflow_provider_bitrix24.rest.client import Client

#: Rows become visible some time after the moment that is their time of change.
_OVERLAP_SECONDS = 600.0
_WINDOWS = ("watermark", "interval", "all")


def _check_window(value: Any, name: str) -> None:
    if isinstance(value, str) and "/" in value:
        # Only such a window needs it.
        from airflow_provider_bitrix24.exports.windows import span_of

        span_of(value)
        return
    one_of(value, name, _WINDOWS)


class Bitrix24BaseLoadOperator(TransferOperator):
    """Base of the operators that load rows; their parameters are described there."""

    template_fields: Sequence[str] = (
        "entity_type_id",
        "item_filter",
        "method",
        "method_params",
        "select",
        "window",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "item_filter": "json",
        "method_params": "json",
        "select": "json",
    }
    literal_checks: ClassVar[Mapping[str, Check]] = {"entity_type_id": entity_type_id, "window": _check_window}
    #: What pyarrow is needed for.
    needs_arrow: ClassVar[str]

    def __init__(
        self,
        *,
        entity_type_id: int | str | NotGiven = NOT_GIVEN,
        item_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        method: str | NotGiven = NOT_GIVEN,
        method_params: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        children: str | NotGiven = NOT_GIVEN,
        select: Sequence[str] | str | NotGiven = NOT_GIVEN,
        window: str = "watermark",
        overlap_seconds: float = _OVERLAP_SECONDS,
        max_bad_share: float = 0.01,
        labels: bool | Sequence[str] = False,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = self.given(entity_type_id, "entity_type_id")
        self.item_filter = self.given(item_filter, "item_filter")
        self.method = self.given(method, "method")
        self.method_params = self.given(method_params, "method_params")
        given = not isinstance(children, NotGiven)
        self.children = self.fixed(one_of, children, "children", tuple(CHILDREN)) if given else None
        self.select = self.given(select, "select")
        self.window = window
        self.overlap_seconds = self.fixed(number_within, overlap_seconds, "overlap_seconds", 0, 86_400)
        self.max_bad_share = self.fixed(number_within, max_bad_share, "max_bad_share", 0, 1)
        self.labels = self.fixed(flag_or_names, labels, "labels")
        # BaseOperator has a method of the name dry_run.
        self.is_dry_run = self.fixed(flag, dry_run, "dry_run")

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            self._check_what()
            if is_literal(self.method) and self.method is not None:
                check_is_read(self.method)
            if is_literal(self.entity_type_id) and self.children is not None:
                check_owners(self.children, self.entity_type_id)

    def _check_what(self) -> None:
        """:raises ConfigurationError: the arguments that name the list do not go together."""
        if self.is_given("entity_type_id") == self.is_given("method"):
            raise ConfigurationError(
                "give either entity_type_id or method", next_step="say what to load by one of the two"
            )
        if self.is_given("entity_type_id") and self.is_given("method_params"):
            raise ConfigurationError("method_params belongs to method", next_step="give item_filter instead")
        if self.is_given("method") and self.is_given("item_filter"):
            raise ConfigurationError("item_filter belongs to entity_type_id", next_step="give method_params instead")
        if self.is_given("method") and self.children is not None:
            raise ConfigurationError("children belongs to entity_type_id", next_step="give it instead of method")

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        if find_spec("pyarrow") is None:
            raise ConfigurationError(
                f"{self.needs_arrow} need the package pyarrow",
                next_step="pip install 'airflow-provider-bitrix24[parquet]'",
            )
        self.check_how()
        return self.load(client, context)

    def check_how(self) -> None:
        """:raises ConfigurationError: a template of ``window`` came out as something else."""
        _check_window(self.window, "window")

    @property
    def is_of_a_time(self) -> bool:
        """Whether the window is a time with an end, of which the load sees nothing else."""
        return self.window not in ("watermark", "all")

    def load(self, client: Client, context: Any) -> dict[str, Any]:
        """Load the rows; pyarrow is there."""
        raise NotImplementedError

    def source(self, client: Client, *, always: Sequence[str] = ()) -> Source:
        """
        The list that the arguments name.

        :param always: fields that come along, whatever the author has selected.
        :raises ConfigurationError: the arguments are wrong.
        """
        select = None if self.select is None else [*names(self.select, "select"), *always]
        found = self._source(client, select)
        if not found.is_resumable:
            self.after_wait = LIST_STARTS_OVER
        return found

    def _source(self, client: Client, select: Sequence[str] | None) -> Source:
        # Only the run needs them.
        from airflow_provider_bitrix24.exports.children import children_of
        from airflow_provider_bitrix24.exports.sources import source_of

        self._check_what()
        if self.method is None:
            type_id = entity_type_id(self.entity_type_id)
            item_filter = conditions(self.item_filter, "item_filter")
            params: dict[str, Any] = {"entityTypeId": type_id}
            if item_filter:
                params["filter"] = fields_of(client, type_id).filter(item_filter)
            if self.children is not None:
                check_owners(self.children, type_id)
                owners = source_of(client, client.method(LIST), params, ["id"])
                return children_of(owners, client, self.children, select)
            return source_of(client, client.method(LIST), params, select)
        check_is_read(required(self.method, "method"))
        method = client.method(self.method)
        params = parameters_of(method.name, self.method_params, "method_params")
        check_filter(params, self.as_written("method_params"), "method_params", method)
        check_lost_values(params, self.as_written("method_params"), "method_params", method)
        return source_of(client, method, params, select)

    def labels_of(self, client: Client, source: Source, others: Iterable[str] = ()) -> Labels:
        """
        The columns of labels; none where they are not asked for.

        :param others: columns of the target that hold something else.
        :raises ConfigurationError: ``labels`` names a field that is not selected or has none.
        """
        # Only the run needs it.
        from airflow_provider_bitrix24.exports.labels import Labels

        labels = Labels(client, source.table, self.labels, others)
        if self.labels and not labels.labels:
            self.log.warning("No column of %s has labels", source.table.name)
        for label in labels.labels:
            if not label.column.name.endswith("_label"):
                self.log.warning("Labels of %s are in %s: the name is taken", label.of.name, label.column.name)
        return labels

    def estimate(self, client: Client, context: Any, load: Load) -> dict[str, Any]:
        """What a dry run returns; the events of assets say that it was one."""
        report = {**load.estimate(client), "window": dict(load.window)}
        self.add_to_outlets(context, {**report, "dry_run": True})
        return report

    def plan(self, client: Client, context: Any, source: Source, watermark: str | None) -> dict[str, Any]:
        """
        The conditions of the window, and the watermark that the load leaves.

        ``span`` is what a load of a time takes, from one moment to another; None for the others.
        """
        # Only the run needs them.
        from airflow_provider_bitrix24.exports import windows

        if self.window == "all":
            return {"window": {}, "watermark": None, "span": None}
        field = windows.modified_field(source.narrowed.method)
        if self.is_of_a_time:
            if self.window == "interval":
                bounds = windows.interval_of(context.get("data_interval_start"), context.get("data_interval_end"))
            else:
                bounds = windows.span_of(self.window)
            window = windows.bounded(source.narrowed.filter, field, dict(zip((">=", "<"), bounds, strict=True)))
            return {"window": window, "watermark": None, "span": list(bounds)}
        now = windows.portal_time(client)
        if watermark is None:
            return {"window": {}, "watermark": now, "span": None}
        since, mark = windows.since(watermark, now, self.overlap_seconds)
        return {
            "window": windows.bounded(source.narrowed.filter, field, {">=": since}), "watermark": mark, "span": None,
        }  # fmt: skip
