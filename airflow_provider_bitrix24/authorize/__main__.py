"""
Get the token pair of a Bitrix24 application, and put it into an Airflow connection.

You need the client_id and client_secret of a local application (in the portal: Applications, Developer resources,
Other, Local application) and a browser that is signed in to the portal. You are asked for whatever the options do not
give. The client secret is not an option, because other users of this computer could read it: you are asked for it, or
it is taken from the environment variable BITRIX24_CLIENT_SECRET.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_bitrix24.authorize import connection_text, connections, first_pair
from airflow_provider_bitrix24.authorize.install_callback import InstallCallback, read_install_callback
from airflow_provider_bitrix24.authorize.questions import Answers, ask_for
from airflow_provider_bitrix24.authorize.terminal import Terminal
from airflow_provider_bitrix24.command_line import CommandParser, connection_id
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError

_EPILOG = """\
examples:
  %(prog)s --conn-id bitrix24_default
  %(prog)s --portal my.bitrix24.com --client-id local.0123 --print json
  %(prog)s --from-install-callback callback.txt --conn-id bitrix24_default

With --conn-id the connection is written into Airflow's database, as `airflow connections add` does; this needs the same
AIRFLOW_HOME and settings. When a connection is replaced, its portal, its application and its other extras are kept.

exit codes: 0 done; 1 Bitrix24 or Airflow refused; 2 an option or an answer is wrong; 130 interrupted
"""
#: Options that do not exist, and that somebody may try because it would be natural.
_SECRETS = ("--client-secret", "--code", "--access-token", "--refresh-token", "--password")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(sys.argv[1:] if arguments is None else arguments)
    terminal = Terminal()
    try:
        _run(options, terminal)
    except ConfigurationError as error:
        terminal.say(f"{error}.")
        return 2
    except Bitrix24Error as error:
        terminal.say(f"{error}.")
        return 1
    except KeyboardInterrupt:
        terminal.say("\nInterrupted.")
        return 130
    return 0


def _run(options: argparse.Namespace, terminal: Terminal) -> None:
    conn_id: str = options.conn_id
    callback = _callback(options.from_install_callback, terminal)
    existing = None
    if options.print:
        connection_text.check_printable(conn_id, options.print)
    elif existing := connections.find(conn_id):
        _agree_to_replace(existing, options, terminal)
    may_replace = options.replace or existing is not None
    known = Answers(conn_id, options.portal, options.client_id, _verify(options.verify), options.oauth_url, callback)
    draft = ask_for(known, existing, terminal)
    with contextlib.ExitStack() as until_stored:
        if callback:
            response = first_pair.exchange_callback(callback, draft, until_stored)
        else:
            response = first_pair.sign_in(draft, terminal, until_stored)
        connection = first_pair.connection_with(response, draft)
        terminal.say(first_pair.check(first_pair.portal_with(conn_id, connection)))
        if options.print:
            terminal.say("The next line holds the client secret and the tokens: keep it where you keep passwords.")
            sys.stdout.write(f"{connection_text.as_text(conn_id, connection, options.print)}\n")
            sys.stdout.flush()
            return
        is_encrypted = connections.store(conn_id, connection, replace=may_replace)
    terminal.say(f"Stored as connection {conn_id}. Workers renew the tokens from now on.")
    if not is_encrypted:
        terminal.say("Its secrets are not encrypted in the database: Airflow has no fernet_key.")
    if connection_text.variable_of(conn_id) in os.environ:
        terminal.say(f"{connection_text.variable_of(conn_id)} is set here, and Airflow uses it before its database.")


def _callback(file: str | None, terminal: Terminal) -> InstallCallback | None:
    if file is None:
        return None
    try:
        return read_install_callback(terminal.read_all() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        reason = (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "not UTF-8"
        failure = ConfigurationError(
            f"{file} cannot be read ({reason})", next_step="give the file with the body of the callback"
        )
    raise failure


def _agree_to_replace(
    existing: connections.ExistingConnection, options: argparse.Namespace, terminal: Terminal
) -> None:
    if existing.conn_type != "bitrix24":
        raise ConfigurationError(
            f"connection {options.conn_id} exists, and its type is {existing.conn_type}",
            next_step="use another --conn-id",
        )
    question = f"Connection {options.conn_id} exists. Replace its webhook or application?"
    if not options.replace and not terminal.confirm(question, otherwise="add --replace"):
        raise ConfigurationError(
            f"connection {options.conn_id} was left as it is", next_step="use another --conn-id, or add --replace"
        )


def _verify(value: str | None) -> str | None:
    """Make the path of a file absolute: it is given from here, and workers read it from anywhere."""
    return os.path.abspath(value) if value and os.path.exists(value) else value


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    for name in (argument.partition("=")[0] for argument in arguments):
        if name in _SECRETS:
            parser.error(f"{name} is not an option, because others could read it: you are asked for it instead")
    return parser.options(arguments)


def _parser() -> CommandParser:
    parser = CommandParser("authorize", __doc__, _EPILOG)
    add = parser.add_argument
    add(
        "--conn-id",
        type=connection_id,
        default="bitrix24_default",
        metavar="ID",
        help="the connection (default: %(default)s)",
    )
    add("--print", choices=connection_text.FORMS, help="print the connection with its secrets instead of storing it")
    add("--replace", action="store_true", help="replace a connection of this id without asking")
    add("--portal", metavar="HOST", help="e.g. my.bitrix24.com, or https://crm.example.com:8443/folder")
    add("--client-id", metavar="ID", help="from the application's card, e.g. local.0123…")
    add(
        "--from-install-callback",
        metavar="FILE",
        help="take the tokens from the body of the POST that an application without an interface gets when it is "
        "installed; - for standard input",
    )
    add("--verify", metavar="FILE", help="certificate authorities of a self-hosted portal; false trusts any server")
    add("--oauth-url", metavar="URL", help="an authorization server that is not Bitrix24's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
