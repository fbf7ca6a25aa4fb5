"""Tables as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version

from airflow_provider_bitrix24 import __version__
from bench.cases import ROUNDS, Table

_PACKAGES = ("apache-airflow", "requests", "b24pysdk", "fast-bitrix24", "aiohttp", "dlt")
_HEAD = """\
# What was measured

Made by `make bench`; do not edit. {day}, {cores} cores ({machine}), Python {python}, airflow-provider-bitrix24 {ours},
{packages}.
Load average at the start: {load:.1f}.

Each client runs in a process of its own and talks HTTPS over loopback to the sandbox, which is one more process with
one thread. Seconds are medians of {rounds} runs (fastest and slowest in brackets) from the first line that uses the
client to its last, without starting Python and importing; the clients take turns. Except under the limit, each
client's own limit is switched off. The sandbox answers within a millisecond where a real portal takes 50 to 500, so
the differences here are the clients' own. With a real portal, what counts is the number of requests and how many are
under way at once, up to the 50 that it takes: the last table but one shows both.

- **requests.Session** is not a client but the yardstick: written by hand for the task, without checks, limits
  or retries. It lists page by page.
- **b24pysdk** is the official SDK. It opens a new connection for each request and has no limit of its own: it sleeps
  after a refusal.
- **fast_bitrix24** sends up to 50 requests at once and reads lists by offset, all into memory and unordered. Each
  client object keeps a limit of its own. Over aiohttp, which is partly written in C, a single call costs less than over
  requests.
- **dlt** loads tables from the source that this package has for it, so that both ways in are given the same typed rows.
"""


def report(tables: Sequence[Table], *, load: float) -> str:
    """
    The whole page.

    :param load: the computer's load average before the first run: above 0, other programs disturbed the runs.
    """
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    head = _HEAD.format(
        day=date.today().isoformat(),
        cores=os.cpu_count(),
        machine=platform.machine(),
        python=platform.python_version(),
        ours=__version__,
        packages=packages,
        rounds=ROUNDS,
        load=load,
    )
    return "\n".join([head, *(section(table) for table in tables)])


def section(table: Table) -> str:
    lines = [f"## {table.heading}", "", *_rows(table.columns, table.lines), ""]
    if table.promises:
        verdicts = [(promise, measured, "yes" if held else "**no**") for promise, measured, held in table.promises]
        lines += [*_rows(("this client is held to", "measured", "held"), verdicts), ""]
    return "\n".join(lines)


def _rows(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *lines)]
