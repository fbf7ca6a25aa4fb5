"""
Get the token pair of a Bitrix24 application, and put it into an Airflow connection.

You need client_id and client_secret of a local application (in the portal: Applications, Developer resources, Other,
Local application) and a browser that is signed in to the portal. Whatever no option says is asked for. The client
secret is never an option, which others on this computer could read: it is asked for, or taken from the environment
variable BITRIX24_CLIENT_SECRET.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_bitrix24.authorize import connections, pair, ready
from airflow_provider_bitrix24.authorize.install_callback import InstallCallback, read_install_callback
from airflow_provider_bitrix24.authorize.questions import Wanted, ask_for
from airflow_provider_bitrix24.authorize.terminal import Terminal
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
#: What somebody may try to give as an option, and must not.
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
        ready.check_printable(conn_id, options.print)
    elif existing := connections.find(conn_id):
        _agree_to_replace(existing, options, terminal)
    may_replace = options.replace or existing is not None
    wanted = Wanted(conn_id, options.portal, options.client_id, _verify(options.verify), options.oauth_url, callback)
    draft = ask_for(wanted, existing, terminal)
    granted = pair.take(callback, draft) if callback else pair.sign_in(draft, terminal)
    connection = pair.connection_with(granted, draft)
    terminal.say(pair.check(pair.portal_with(conn_id, connection)))
    if options.print:
        terminal.say("The next line holds the client secret and the tokens: keep it where you keep passwords.")
        sys.stdout.write(f"{ready.as_text(conn_id, connection, options.print)}\n")
        return
    is_encrypted = connections.store(conn_id, connection, replace=may_replace)
    terminal.say(f"Stored as connection {conn_id}. Workers renew the tokens from here on.")
    if not is_encrypted:
        terminal.say("Its secrets are not encrypted in the database: Airflow has no fernet_key.")
    if ready.variable_of(conn_id) in os.environ:
        terminal.say(f"{ready.variable_of(conn_id)} is set here, and Airflow takes that one before its database.")


def _callback(file: str | None, terminal: Terminal) -> InstallCallback | None:
    if file is None:
        return None
    try:
        return read_install_callback(terminal.read_all() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        reason = (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "not UTF-8"
        failure = ConfigurationError(f"{file} cannot be read ({reason})", next_step="name the file of the callback")
    raise failure


def _agree_to_replace(existing: connections.Existing, options: argparse.Namespace, terminal: Terminal) -> None:
    if existing.conn_type != "bitrix24":
        raise ConfigurationError(
            f"connection {options.conn_id} is there, and of type {existing.conn_type}",
            next_step="take another --conn-id",
        )
    question = f"Connection {options.conn_id} is there. Replace its webhook or its application?"
    if not options.replace and not terminal.confirm(question, otherwise="give --replace"):
        raise ConfigurationError(
            f"connection {options.conn_id} stays as it is", next_step="take another --conn-id, or give --replace"
        )


def _verify(value: str | None) -> str | None:
    """A file is looked for from here, and by workers from anywhere."""
    return os.path.abspath(value) if value and os.path.exists(value) else value


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    for name in (argument.partition("=")[0] for argument in arguments):
        if name in _SECRETS:
            parser.error(f"{name} is no option, since others could read it: it is asked for")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # Not what they say: a secret may have gone astray.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        parser.error(f"unknown: {', '.join(names) or 'a word that belongs to no option'}")
    if not re.fullmatch(r"[\w.-]{1,200}", options.conn_id):
        parser.error("--conn-id takes letters, digits, _, - and .")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_bitrix24.authorize",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--conn-id", default="bitrix24_default", metavar="ID", help="the connection (default: %(default)s)")
    add("--print", choices=ready.FORMS, help="print the ready connection with its secrets, and store nothing")
    add("--replace", action="store_true", help="replace a connection of this id without asking")
    add("--portal", metavar="HOST", help="e.g. my.bitrix24.com, or https://crm.example.com:8443/folder")
    add("--client-id", metavar="ID", help="from the application's card, e.g. local.0123…")
    add(
        "--from-install-callback",
        metavar="FILE",
        help="take the tokens out of the body of the POST that an application without interface gets when it is "
        "installed; - for standard input",
    )
    add("--verify", metavar="FILE", help="certificate authorities of a self-hosted portal; false trusts anybody")
    add("--oauth-url", metavar="URL", help="another authorization server than Bitrix24's own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
