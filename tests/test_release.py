"""The check of a release, on copies in which something is left to fill in, or nothing is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Put together here, so that nothing finds it in this file.
PLACEHOLDER = "_".join(("REPOSITORY", "ADDRESS"))

READY = {
    "README.md": "# A\n\n[Errors](https://example.com/docs/errors.md)\n",
    "SECURITY.md": "The repository is `https://example.com/a`.\n",
    "CHANGELOG.md": "# Changes\n\n## 0.2.0 (2027-01-31)\n\n## 0.1.0 (2026-12-31)\n",
    "pyproject.toml": '[project.urls]\nRepository = "https://example.com/a"\n',
    "airflow_provider_bitrix24/__init__.py": '__version__ = "0.2.0"\n',
    "docs/releasing.md": f"Write it in place of {PLACEHOLDER}.\n",
}


def checked(root: Path, **changed: str) -> tuple[int, str]:
    for name, text in {**READY, **changed}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "ci").mkdir()
    shutil.copy(ROOT / "ci/check_release.py", root / "ci")
    done = subprocess.run([sys.executable, root / "ci/check_release.py"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


def test_a_release_is_ready(tmp_path):
    assert checked(tmp_path) == (0, "Nothing is left to fill in")


@pytest.mark.parametrize(
    ("file", "text", "where"),
    [
        ("SECURITY.md", f"One.\nThe repository is `{PLACEHOLDER}`.\n", "SECURITY.md:2: "),
        ("README.md", f"{PLACEHOLDER}/issues\n", "README.md:1: "),
        ("docs/reference/hook.md", f"\n\n{PLACEHOLDER}\n", "docs/reference/hook.md:3: "),
        ("pyproject.toml", f'[project.urls]\nRepository = "{PLACEHOLDER}"\n', "pyproject.toml:2: "),
        (
            "airflow_provider_bitrix24/hooks/a.py",
            f'URL = "{PLACEHOLDER}"\n',
            "airflow_provider_bitrix24/hooks/a.py:1: ",
        ),
        ("pyproject.toml", "[project]\n", "pyproject.toml:1: [project.urls]"),
        ("README.md", "See [errors](docs/errors.md#a).\n", "README.md:1: docs/errors.md#a leads nowhere"),
        ("CHANGELOG.md", "# Changes\n\n## 0.2.0 (unreleased)\n", "CHANGELOG.md:3: write ## 0.2.0 ("),
        ("CHANGELOG.md", "## 0.1.0 (2026-12-31)\n", "CHANGELOG.md:1: write ## 0.2.0 ("),
    ],
)
def test_what_is_left_is_named(file, text, where, tmp_path):
    code, output = checked(tmp_path, **{file: text})
    assert code == 1
    assert output.startswith(where)
    assert "\n" not in output


def test_the_address_is_to_be_written_in_one_place():
    found = subprocess.run(
        [sys.executable, ROOT / "ci/check_release.py"], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    assert [line.partition(":")[0] for line in found if PLACEHOLDER in line] in ([], ["SECURITY.md"])
