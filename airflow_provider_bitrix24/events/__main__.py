"""
List or end the bindings of events in the offline queue of an application.

A watcher binds its events and leaves them bound, so that nothing is lost while Airflow is away. If nobody watches any
more, unbind them: the portal goes on to queue changes otherwise, and keeps each for 30 days.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from airflow_provider_bitrix24.command_line import CommandParser, connection_id
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError

_EPILOG = """\
examples:
  %(prog)s list bitrix24_default
  %(prog)s unbind bitrix24_default ONCRMDEALUPDATE
  %(prog)s unbind bitrix24_default --all

It needs the same AIRFLOW_HOME and settings as `airflow connections list`. Pause the DAGs that watch first: a watcher
binds its events again when it starts.

exit codes: 0 done; 1 Bitrix24 or Airflow refused; 2 an option or the connection is wrong
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        for line in _list(options) if options.action == "list" else _unbind(options):
            sys.stdout.write(f"{line}\n")
    except ConfigurationError as error:
        sys.stderr.write(f"{error}.\n")
        return 2
    except Bitrix24Error as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    return 0


def _list(options: argparse.Namespace) -> list[str]:
    from airflow_provider_bitrix24.hooks.administration import administrators_client
    from airflow_provider_bitrix24.triggers.queue_calls import QueueCalls

    with administrators_client(options.conn_id) as client:
        calls = QueueCalls(client, options.connector)
        bound, rows = sorted(calls.bound()), calls.count()
    return [*(bound or ["no events are bound"]), f"{rows} changes are queued"]


def _unbind(options: argparse.Namespace) -> list[str]:
    from airflow_provider_bitrix24.hooks.administration import administrators_client
    from airflow_provider_bitrix24.triggers.events import events_of
    from airflow_provider_bitrix24.triggers.queue_calls import QueueCalls

    with administrators_client(options.conn_id) as client:
        calls = QueueCalls(client, options.connector)
        bound = calls.bound()
        names = bound if options.all else set(events_of(options.events))
        for event in sorted(names & bound):
            calls.unbind(event)
    said = [f"{event}: unbound" for event in sorted(names & bound)]
    return [*said, *(f"{event}: was not bound" for event in sorted(names - bound))] or ["no events are bound"]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandParser("events", __doc__, _EPILOG)
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="list|unbind", parser_class=argparse.ArgumentParser
    )
    for name, text in (("list", "show what is bound and how much is queued"), ("unbind", "stop queueing")):
        action = actions.add_parser(name, help=text, allow_abbrev=False)
        action.add_argument("conn_id", type=connection_id, metavar="CONN_ID", help="the connection of the application")
        action.add_argument("--connector", default="", help="the auth_connector of the queue, if it has one")
        if name == "unbind":
            action.add_argument("events", nargs="*", metavar="EVENT", help="e.g. ONCRMDEALUPDATE")
            action.add_argument("--all", action="store_true", help="all events of this queue")
    options = parser.options(arguments)
    if options.action == "unbind" and bool(options.events) == options.all:
        parser.error("unbind takes the names of events, or --all")
    return options


if __name__ == "__main__":
    sys.exit(main())
