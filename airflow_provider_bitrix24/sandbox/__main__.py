"""
``python -m airflow_provider_bitrix24.sandbox``: a Bitrix24 to try things on, until Ctrl-C.

It prints the webhook, the CA file and a connection for Airflow, for the administrator and for the clerk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_bitrix24.sandbox.face.sandbox import Sandbox

#: How a file of `--env-file` begins.
_FIRST_WORDS = b"export AIRFLOW_CONN_BITRIX24_DEFAULT="


def main(arguments: Sequence[str] | None = None) -> int:
    # Not an Event: its set() in a signal handler waits for ever if the signal comes just as wait() begins.
    stopped: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: stopped.put(got))
    # Below the signals, so that none of them meets half an import.
    from airflow_provider_bitrix24.sandbox.face.sandbox import Sandbox

    settings = vars(_parser().parse_args(arguments))
    env_file: Path | None = settings.pop("env_file", None)
    with contextlib.ExitStack() as ending:
        try:
            portal = Sandbox(**settings).start()
            ending.callback(portal.stop)
            variables = _environment(portal)
            ending.enter_context(_written(env_file, variables))
        except (ImportError, OSError, ValueError) as problem:
            sys.stderr.write(f"The sandbox cannot start: {problem}\n")
            return 1
        sys.stdout.write(_greeting(portal, variables, env_file) + "\n")
        sys.stdout.flush()
        stopped.get()
    return 0


def _parser() -> argparse.ArgumentParser:
    from airflow_provider_bitrix24.sandbox.face.scenarios import SCENARIOS

    # What is not given is not there: the portal has defaults of its own, and a scenario has others.
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_bitrix24.sandbox",
        usage="%(prog)s [OPTION ...], with --help for the options",
        description=__doc__,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    scenarios = "; ".join(f"{name}: {scenario.about}" for name, scenario in SCENARIOS.items())
    add("--port", type=int, help="port on 127.0.0.1 (default: any free one)")
    add("--deals", type=int, help="how many deals (default: 30)")
    add("--data", type=Path, metavar="FILE.json", help="objects of your own instead of generated ones")
    add("--answers", type=Path, metavar="FILE.json", help="results of methods that the sandbox does not offer")
    add("--seed", type=int, help="same number, same objects and same webhook codes")
    add("--code", help="webhook code of the administrator (default: a new one)")
    add("--scenario", choices=tuple(SCENARIOS), metavar="NAME", help=f"{scenarios}; other options win over it")
    add("--generation", choices=("current", "middle", "old"), help="whose payment answers (default: current)")
    add("--language", choices=("en", "ru"), help="language of error descriptions (default: en)")
    add("--latency", type=float, metavar="SECONDS", help="hold every answer back")
    add("--command-seconds", type=float, metavar="SECONDS", help="what each command of a batch takes")
    add("--rate", type=float, metavar="PER_SECOND", help="request limit: 2 on most plans (default: no limit)")
    add("--burst", type=int, metavar="REQUESTS", help="depth of the request bucket: 50 on most plans")
    add("--operating-limit", type=float, metavar="SECONDS", help="running time per method in ten minutes")
    add("--gaps", type=float, metavar="CHANCE", help="chance that an id is skipped")
    add("--env-file", type=Path, metavar="FILE", help="write the same as shell lines; removed at the end")
    return parser


def _environment(portal: Sandbox) -> dict[str, str]:
    from airflow_provider_bitrix24.sandbox.web.server import around_proxies

    return {
        "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection_json(),
        "AIRFLOW_CONN_BITRIX24_CLERK": portal.connection_json(portal.clerk),
        "AIRFLOW_CONN_BITRIX24_APP": portal.oauth_connection_json(),
        "BITRIX24_SANDBOX_URL": portal.url,
        "BITRIX24_SANDBOX_CA_FILE": portal.ca_file,
        "BITRIX24_SANDBOX_WEBHOOK": portal.webhook(),
        "BITRIX24_SANDBOX_CLERK_WEBHOOK": portal.webhook(portal.clerk),
        **around_proxies(os.environ),
    }


def _greeting(portal: Sandbox, variables: Mapping[str, str], env_file: Path | None) -> str:
    lines = [
        f"Bitrix24 sandbox at {portal.url}/ (open it in a browser)",
        f"CA file: {portal.ca_file}",
    ]
    for user, name in ((portal.admin, "DEFAULT"), (portal.clerk, "CLERK")):
        variable = f"AIRFLOW_CONN_BITRIX24_{name}"
        may = "may do everything" if user.is_admin else "may only read"
        lines += [
            "",
            f"{user.name} (user {user.id}) {may}: {portal.webhook(user)}",
            f"export {variable}={shlex.quote(variables[variable])}",
        ]
    application = shlex.quote(variables["AIRFLOW_CONN_BITRIX24_APP"])
    lines += ["", "An application of Anna's instead:", f"export AIRFLOW_CONN_BITRIX24_APP={application}"]
    if "NO_PROXY" in variables:
        lines += ["", "Past the proxy of this shell:", f"export NO_PROXY={shlex.quote(variables['NO_PROXY'])}"]
    if env_file is not None:
        lines += ["", f"The same for a shell: . {env_file}"]
    return "\n".join([*lines, "", "Ctrl-C ends it."])


@contextlib.contextmanager
def _written(env_file: Path | None, variables: Mapping[str, str]) -> Iterator[None]:
    """
    The variables in a file that only its owner can read, complete from the moment it exists.

    :raises ValueError: the file cannot be written, or is one that no sandbox has written.
    """
    if env_file is None:
        yield
        return
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    draft = env_file.with_name(f"{env_file.name}.{os.getpid()}")
    try:
        # A sandbox that was killed leaves its file behind.
        if env_file.exists() and not (env_file.is_file() and env_file.read_bytes().startswith(_FIRST_WORDS)):
            raise ValueError(f"--env-file {env_file} is there and would be lost: name a new file.")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(env_file)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise ValueError(f"--env-file {env_file} cannot be written: {problem.strerror}. Name another one.") from None
    try:
        yield
    finally:
        # Another sandbox may have taken the name since.
        with contextlib.suppress(OSError):
            if env_file.read_bytes() == text.encode():
                env_file.unlink()


if __name__ == "__main__":
    sys.exit(main())
