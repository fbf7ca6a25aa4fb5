"""
Check the layers that pyproject.toml draws under ``[tool.importlinter]``: imports go down, and never in a circle.

Imports inside functions and under ``TYPE_CHECKING`` count. Prints what is wrong and exits 1.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if checked.returncode:
        print(checked.stdout, checked.stderr, sep="\n")
        print("pyproject.toml has the layers, under [tool.importlinter].")
        sys.exit(1)
    print("The layers hold: no import goes up, and none in a circle")


if __name__ == "__main__":
    main()
