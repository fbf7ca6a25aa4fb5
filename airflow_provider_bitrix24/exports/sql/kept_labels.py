"""Which columns of a table hold labels, as the ledger keeps it, so that no field ever comes to stand there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.sql.database import Database
from airflow_provider_bitrix24.exports.sql.ledger import LABELS, Ledger
from airflow_provider_bitrix24.exports.sql.table_names import TableName


def columns_without_labels(database: Database, target: TableName) -> set[str]:
    """Names that columns of a table have which no load has filled with labels."""
    folds = database.kind.folds_case
    names = {name.lower() if folds else name for name in database.columns(target)}
    return names - Ledger(database, target).labels().keys()


def keep_labels(ledger: Ledger, columns: Collection[str], labels: Mapping[str, str]) -> None:
    """
    :param columns: of the load.
    :param labels: by column of labels, the column that it puts into words.
    """
    before = ledger.labels()
    known = {name: of for name, of in before.items() if name not in columns}
    if (now := {**known, **labels}) != before:
        ledger.put(LABELS, "", now)


def check_labels(
    ledger: Ledger, columns: Collection[str], labels: Mapping[str, str], present: Collection[str], target: object
) -> None:
    """
    :param present: columns of the target.
    :raises ConfigurationError: a field has the name of a column that holds labels.
    """
    for name, of in ledger.labels().items():
        if name in columns and name not in labels and name in present:
            raise ConfigurationError(
                f"the field {name} is new, and the column {name} of {target} holds labels of {of}",
                next_step="rename that column, or leave the field out with select",
            )
