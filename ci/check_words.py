"""
Check the words of code, comments, messages and English documents: what a native reader stops at is not said here.

Prints each place as ``file:line: word, and what to say instead`` and exits 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: What is read, and what of it is not: other languages, lists of packages, and this list of words.
READ = (
    *("*.md", "*.toml", "Makefile", ".ci/run", "docs/*.md", "bench/**/*", "ci/**/*", "example_dags/*.py"),
    *("airflow_provider_bitrix24/**/*.py", "airflow_provider_bitrix24/*.txt", "tests/**/*.py", "tests/*/README.md"),
)
NOT_READ = ("README.ru.md", "ci/check_words.py", "ci/constraints-*", "ci/*/package*", "ci/*/node_modules/*")

#: Patterns, and what to say instead.
WORDS = {
    r"without a word|_without_a_word": "silently",
    r"befall|befell": "concerns, happens to",
    r"\ball the same\b|_all_the_same": "still, anyway",
    r"\bat hand\b|_at_hand": "available",
    r"\bcur(e|es|ed)\b|_cures?\b|_CURES?\b": "hint, fix",
    r"(?<![a-z])heal(s|ed|ing)?(?![a-z])": "fix, correct",
    r"(?<![a-z])mend(s|ed|ing)?(?![a-z])": "fix",
    r"(?<![a-z])told(?![a-z]| apart|_apart)": "reported, said, given",
    r"(?<![a-z])anew(?![a-z])": "again, from the start",
    r"\bin vain\b": "for nothing",
    r"(?<!there\s)\b(is|are|was|were) no (?!longer\b|more\b|such\b)(?=[a-z])": "is not a",
    r"(?<!there)_(is|are|was|were)_no_(?!longer|more|such)(?=[a-z])": "is_not_a",
    r"^(?!.*[А-Яа-яЁё]).*«.*»": 'straight quotes, "…"',
    r"\b(something|shown)\(|cure_of": "a name that says what",
    r"\bfor (\w+, )?(one|some|told|found)(, \w+)? in\b|^\s*(some|told)( =|:.* =)": "what it is: row, command, …",
}


def files() -> Iterator[Path]:
    found = {path for pattern in READ for path in ROOT.glob(pattern) if path.is_file() and path.suffix != ".pyc"}
    # `make sdks` puts packages of others there.
    found = {path for path in found if "node_modules" not in path.parts}
    for path in sorted(found):
        name = path.relative_to(ROOT)
        if not any(name.match(pattern) for pattern in NOT_READ):
            yield path


def faults_of(text: str) -> Iterator[tuple[int, str]]:
    """Line and fault of each such word; a sentence may go on in the next line."""
    for pattern, instead in WORDS.items():
        for match in re.finditer(pattern.replace(" ", r"\s+(?:#:?\s+)?"), text, re.IGNORECASE | re.MULTILINE):
            yield text.count("\n", 0, match.start()) + 1, f"{' '.join(match[0].split())!r}: say {instead}"


def main() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in files()
        for line, fault in sorted(faults_of(path.read_text(encoding="utf-8")))
    ]
    print(*faults or ["The words are plain"], sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
