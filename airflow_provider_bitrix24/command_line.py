"""What the commands share: how they present themselves, and that nothing which was pasted by mistake is printed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

#: An address may be that of a webhook, with its code.
_ADDRESS = re.compile(r"'?\bhttps?:[^\s']*'?", re.IGNORECASE)


class CommandParser(argparse.ArgumentParser):
    """
    Options of ``python -m airflow_provider_bitrix24.MODULE``.

    :param module: its name.
    :param description: the docstring of the module.
    :param epilog: examples and exit codes.
    """

    def __init__(self, module: str, description: str | None, epilog: str) -> None:
        super().__init__(
            prog=f"python -m airflow_provider_bitrix24.{module}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def options(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """The options given; unknown ones end the command, which shows their names and not their values."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
            self.error(f"unknown: {', '.join(names) or 'an argument that belongs to no option'}")
        return options

    def error(self, message: str) -> NoReturn:
        super().error(_ADDRESS.sub("an address", message))


def connection_id(text: str) -> str:
    """
    The id of a connection, for ``type=`` of an argument.

    :raises ArgumentTypeError: it is not one, such as the address of a webhook, which is not shown.
    """
    if not re.fullmatch(r"[\w.-]{1,200}", text):
        raise argparse.ArgumentTypeError("takes letters, digits, _, - and .")
    return text
