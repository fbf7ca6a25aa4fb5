"""Questions to a person, and what the person is told."""

from __future__ import annotations

import getpass
import sys

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.settings.extras import trimmed


class NoAnswer(ConfigurationError):
    """Standard input has ended before a question was answered."""


class Terminal:
    """
    Talks on standard error, so that standard output holds nothing but a ready connection.

    Answers come on standard input, also out of a pipe, one to a line.
    """

    def say(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def ask(self, question: str, *, otherwise: str, default: str | None = None) -> str:
        """
        Ask until there is an answer.

        :param otherwise: what a person does who cannot answer.
        :param default: the answer of who only presses Enter.
        :raises NoAnswer: standard input has ended.
        """
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            answer = self._answer(prompt, question, otherwise) or default
            if answer:
                return answer

    def ask_secret(self, question: str, *, otherwise: str, default: str | None = None) -> str:
        """Ask for something that is not shown, neither as it is typed nor as a default; like :meth:`ask`."""
        prompt = f"{question}: "
        while True:
            # getpass would leave a pipe alone, and wait for the terminal.
            read = self._unseen_answer if sys.stdin.isatty() else self._answer
            answer = read(prompt, question, otherwise) or default
            if answer:
                return answer

    def confirm(self, question: str, *, otherwise: str) -> bool:
        """Ask for yes or no; anything but a yes is a no."""
        return (self._answer(f"{question} [y/N]: ", question, otherwise) or "").lower() in ("y", "yes")

    def read_all(self) -> str:
        """Whatever comes on standard input, to its end."""
        return sys.stdin.read()

    def _answer(self, prompt: str, question: str, otherwise: str) -> str | None:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            sys.stderr.write("\n")
            raise NoAnswer(f"«{question}» was not answered", next_step=otherwise)
        return trimmed(line)

    def _unseen_answer(self, prompt: str, question: str, otherwise: str) -> str | None:
        try:
            return trimmed(getpass.getpass(prompt, stream=sys.stderr))
        except EOFError:
            raise NoAnswer(f"«{question}» was not answered", next_step=otherwise) from None
