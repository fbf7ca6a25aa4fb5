"""
What a task has brought from where to where: for OpenLineage when it asks, and for the events of assets.

Neither ever changes how a task ends. OpenLineage is imported only when Airflow's provider of it asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24._compat import Asset
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

#: What of a report goes to the events of assets.
_IN_EVENTS = ("rows", "bytes", "parts", "path", "table", "window", "watermark", "deleted", "hidden", "dry_run")
#: Protocols of ``ObjectStoragePath`` that the naming of OpenLineage spells in another way.
_SCHEMES = {"s3a": "s3", "gcs": "gs", "abfs": "abfss", "az": "abfss", "adl": "abfss"}


@dataclass(frozen=True)
class Dataset:
    """
    A table, a folder, or a list of the portal, as OpenLineage names it.

    :param columns: types by name; empty where rows have none.
    """

    namespace: str
    name: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Transfer:
    """Rows that a task has brought from one dataset to another."""

    source: Dataset
    target: Dataset
    rows: int
    bytes: int | None = None


def stored_dataset(path: Any, columns: Mapping[str, str] | None = None) -> Dataset:
    """
    A file or a folder of object storage: ``s3://bucket`` and ``crm/deals``; ``file`` and ``/tmp/deals``.

    :param path: an ``ObjectStoragePath``.
    """
    scheme = _SCHEMES.get(path.protocol, path.protocol)
    # Airflow 2 has the id of the connection in both.
    bucket = str(path.bucket).rpartition("@")[2]
    if scheme == "file":
        return Dataset("file", f"/{path.key.lstrip('/')}", columns or {})
    account = getattr(path.fs, "account_name", None) if scheme == "abfss" else None
    host = f"@{account}.dfs.core.windows.net" if account else ""
    return Dataset(f"{scheme}://{bucket}{host}", path.key.strip("/"), columns or {})


class TransferOperator(Bitrix24BaseOperator):
    """Base of the operators that bring rows to a store."""

    #: What the run has done; None before its end, and where nothing was brought.
    transfer: Transfer | None = None

    def reported(self, context: Any, report: dict[str, Any], transfer: Callable[[], Transfer]) -> dict[str, Any]:
        """
        The report of a run, which assets and lineage have from now on.

        :param transfer: between which datasets; where a name cannot be found out, the task does not fail.
        """
        self.add_to_outlets(context, report)
        with self._without_failure("The lineage of this run"):
            self.transfer = transfer()
        return report

    def add_to_outlets(self, context: Any, report: Mapping[str, Any]) -> None:
        """Put the counts of a report into the ``extra`` of the events of the task's assets."""
        with self._without_failure("What the events of this task's assets say"):
            events = context.get("outlet_events")
            for outlet in self.outlets if events is not None else ():
                # Airflow 3 takes references too. An alias has an event only for assets that are added to it.
                if isinstance(outlet, Asset) or type(outlet).__name__ in ("AssetNameRef", "AssetUriRef"):
                    events[outlet].extra.update({name: report[name] for name in _IN_EVENTS if name in report})

    @contextmanager
    def _without_failure(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # What is in the message may be a value of a connection.
            self.log.warning("%s is not known: %s", what, type(error).__name__)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """What Airflow's provider of OpenLineage asks a task for after its end."""
        return None if self.transfer is None else _lineage(self.transfer)


def _lineage(transfer: Transfer) -> OperatorLineage[Any, Any]:
    # Only OpenLineage asks for it, and takes 0.3 s to be imported.
    from airflow.providers.common.compat.openlineage.facet import (
        InputDataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.generated.input_statistics_input_dataset import InputStatisticsInputDatasetFacet

    def facets(dataset: Dataset) -> dict[str, Any]:
        fields = [SchemaDatasetFacetFields(name=name, type=type_) for name, type_ in dataset.columns.items()]
        return {"schema": SchemaDatasetFacet(fields=fields)} if fields else {}

    source, target = transfer.source, transfer.target
    taken = InputDataset(
        namespace=source.namespace,
        name=source.name,
        facets=facets(source),
        inputFacets={"inputStatistics": InputStatisticsInputDatasetFacet(rowCount=transfer.rows)},
    )
    brought = OutputDataset(
        namespace=target.namespace,
        name=target.name,
        facets=facets(target),
        outputFacets={
            "outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=transfer.rows, size=transfer.bytes)
        },
    )
    return OperatorLineage(inputs=[taken], outputs=[brought])
