"""
Run uv with the package index, certificates and proxy that pip uses here: ``python ci/uv.py pip install …``.

pip reads its settings from its own files and from ``PIP_*``; uv reads neither. Settings of uv's own win.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path


def pip_settings() -> dict[str, str]:
    """Return pip's settings by name, ``{"index-url": …}``; the environment stands last and wins."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = {}
    for line in listed.splitlines():
        key, separator, value = line.partition("=")
        section, _, name = key.partition(".")
        if separator and section in ("global", "install", ":env:"):
            settings[name] = str(ast.literal_eval(value))
    return settings


def uv_environment() -> dict[str, str]:
    pip = pip_settings()
    defaults = {
        "UV_DEFAULT_INDEX": pip.get("index-url"),
        "UV_INDEX": pip.get("extra-index-url"),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_OFFLINE": "1" if pip.get("no-index", "").lower() in ("1", "true", "yes", "on") else None,
        "SSL_CERT_FILE": pip.get("cert"),
        "HTTPS_PROXY": pip.get("proxy"),
        # As pip does: the best version of all indexes, not of the first that knows the name. Hashes guard the choice.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return {**{name: value for name, value in defaults.items() if value}, **os.environ}


if __name__ == "__main__":
    uv = str(Path(sys.executable).with_name("uv"))
    os.execve(uv, [uv, *sys.argv[1:]], uv_environment())  # noqa: S606
