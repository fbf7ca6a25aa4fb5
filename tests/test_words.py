"""The check of words, on files into which such words were written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "ci/check_words.py"

# Put together here, so that the check does not find them in this file.
SILENTLY = "without a {}".format("word")
QUOTED = "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}{}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"


def checked(root: Path) -> tuple[int, str]:
    (root / "ci").mkdir(exist_ok=True)
    shutil.copy(SCRIPT, root / "ci")
    done = subprocess.run([sys.executable, root / "ci/check_words.py"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("README.md", f"One.\nIt is dropped {SILENTLY}.\n", 2),
        ("docs/a.md", "It is dropped {}.\n".format(SILENTLY.replace(" a", "\na")), 1),
        ("airflow_provider_bitrix24/a/b.py", "# It is\n# dropped {}.\n".format(SILENTLY.replace(" a", "\n# a")), 2),
        ("tests/test_a.py", "x = [{0} for {0} in y]\n".format("one"), 1),
        ("tests/test_b.py", "def test_it_is_{}():\n    pass\n".format("".join(("to", "ld"))), 1),
        ("tests/test_c.py", "def test_what_{}_id():\n    pass\n".format("is_no"), 1),
        ("ci/a.py", f'"""{QUOTED.format("Limits")}"""\n', 1),
    ],
)
def test_a_word_is_found_where_it_begins(file, text, line, tmp_path):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    code, printed = checked(tmp_path)
    assert code == 1
    assert printed.startswith(f"{file}:{line}: ")
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("README.ru.md", QUOTED.format("Лимиты")),
        ("docs/a.md", "There is no limit. The two can be told apart."),
        ("tests/test_a.py", f'text = "Поле {QUOTED.format("{field}")}"'),
    ],
)
def test_plain_words_and_other_languages_pass(file, text, tmp_path):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert checked(tmp_path) == (0, "The words are plain")
