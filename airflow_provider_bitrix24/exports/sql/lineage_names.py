"""
What a table is called in lineage: by host and port, database, schema and table, as OpenLineage names those of servers.

Files are named alike, by their path. Source: "Naming" of OpenLineage; what Airflow's hooks of Postgres and MySQL say.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow_provider_bitrix24._compat import BaseHook
from airflow_provider_bitrix24.execution.lineage import Dataset
from airflow_provider_bitrix24.exports.sql.database import Database
from airflow_provider_bitrix24.exports.sql.table_names import TableName


def dataset_of(database: Database, conn_id: str, table: TableName) -> Dataset:
    """
    A table: ``postgres://host:5432`` and ``warehouse.public.deals``; ``sqlite`` and ``/data/crm.db.deals``.

    :param conn_id: the connection that the database was opened with.
    """
    kind = database.kind
    ((place, schema),) = database.execute(kind.place)
    namespace = kind.extra
    if kind.port is not None:
        connection = BaseHook.get_connection(conn_id)
        # The folder of a socket is quoted.
        host = urlsplit(f"//{quote(connection.host or 'localhost', safe='')}").hostname
        namespace = f"{namespace}://{host}:{connection.port or kind.port}"
    if table.schema is not None and schema is None:
        # A schema is a database there.
        place, parts = table.schema, [table.name]
    else:
        parts = [part for part in (table.schema or schema, table.name) if part is not None]
    return Dataset(namespace, ".".join((str(place), *parts)), database.columns(table))
