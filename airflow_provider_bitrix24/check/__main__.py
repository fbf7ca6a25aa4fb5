"""
Show what a connection can do: whose it is, its scopes, limits and clock, and how many CRM items it sees.

Nothing is changed in the portal. No secret is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_bitrix24.command_line import CommandParser, connection_id
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_bitrix24.check.findings import Finding

_EPILOG = """\
examples:
  %(prog)s bitrix24_default
  %(prog)s bitrix24_default && airflow dags trigger load_deals

It needs the same AIRFLOW_HOME and settings as `airflow connections list`.

exit codes: 0 nothing is wrong; 1 something is, or Bitrix24 or Airflow refused; 2 an option or the connection is wrong
"""
#: Colours of lines, at a terminal.
_STYLES = {"ok": "", "look": "yellow", "wrong": "bold red"}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    # They import requests and Airflow, which --help has no use for.
    from airflow_provider_bitrix24.check.findings import findings
    from airflow_provider_bitrix24.hooks.administration import administrators_client

    found: list[Finding] = []
    failure: Bitrix24Error | None = None
    try:
        with administrators_client(options.conn_id) as client:
            for finding in findings(client, time.time):
                found.append(finding)
    except Bitrix24Error as error:
        failure = error
    # What was found before is shown too.
    if found:
        _show(options.conn_id, found)
    if failure is not None:
        sys.stderr.write(f"{failure}.\n")
        return 2 if isinstance(failure, ConfigurationError) else 1
    wrong = [finding.name for finding in found if finding.level == "wrong"]
    if wrong:
        sys.stderr.write(f"Wrong: {', '.join(wrong)}.\n")
    return 1 if wrong else 0


def _show(conn_id: str, found: Iterable[Finding]) -> None:
    # Airflow brings it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"Connection {conn_id}", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column()
    for finding in found:
        # As text, since brackets in a name would be markup.
        table.add_row(Text(finding.name), Text(finding.value), finding.level, style=_STYLES[finding.level])
    Console(file=sys.stdout).print(table)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("check", __doc__, _EPILOG)
    parser.add_argument(
        "conn_id",
        nargs="?",
        type=connection_id,
        default="bitrix24_default",
        metavar="CONN_ID",
        help="default: %(default)s",
    )
    return parser.options(arguments)


if __name__ == "__main__":
    sys.exit(main())
