"""Questions to a person at a terminal, and messages."""

from __future__ import annotations

import getpass
import sys

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.settings.extras import trimmed


class NoAnswer(ConfigurationError):
    """Standard input ended before a question was answered."""


class Terminal:
    """
    Asks on standard error, so that standard output holds nothing but a printed connection.

    Answers are read from standard input, which may be a pipe, one on each line.
    """

    def say(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def ask(self, question: str, *, otherwise: str, default: str | None = None) -> str:
        """
        Ask until there is an answer.

        :param otherwise: what to do instead of answering, for the error.
        :param default: the answer where only Enter is pressed.
        :raises NoAnswer: standard input has ended.
        """
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            answer = self._answer(prompt, question, otherwise) or default
            if answer:
                return answer

    def ask_secret(self, question: str, *, otherwise: str, default: str | None = None) -> str:
        """Ask like :meth:`ask`, but show neither what is typed nor the default."""
        prompt = f"{question}: "
        while True:
            # getpass would not read a pipe, and wait for the terminal.
            read = self._unseen_answer if sys.stdin.isatty() else self._answer
            answer = read(prompt, question, otherwise) or default
            if answer:
                return answer

    def confirm(self, question: str, *, otherwise: str) -> bool:
        """Ask for yes or no; anything but a yes counts as no."""
        return (self._answer(f"{question} [y/N]: ", question, otherwise) or "").lower() in ("y", "yes")

    def read_all(self) -> str:
        """Read standard input to its end."""
        return sys.stdin.read()

    def _answer(self, prompt: str, question: str, otherwise: str) -> str | None:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            sys.stderr.write("\n")
            raise NoAnswer(f'"{question}" was not answered', next_step=otherwise)
        return trimmed(line)

    def _unseen_answer(self, prompt: str, question: str, otherwise: str) -> str | None:
        try:
            return trimmed(getpass.getpass(prompt, stream=sys.stderr))
        except EOFError:
            raise NoAnswer(f'"{question}" was not answered', next_step=otherwise) from None
