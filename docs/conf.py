"""
How Sphinx builds these pages and the reference: ``make docs``.

The pages link to files beside them as a reader of the sources wants it; here a link out of the folder leads to the page
that shows the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

# Before any part of it, which imports the rest in a circle.
import airflow  # noqa: F401

from airflow_provider_bitrix24 import __version__

project = "airflow-provider-bitrix24"
copyright = "the authors of airflow-provider-bitrix24"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
# A link to a heading is written as on other pages of Markdown.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
html_theme = "furo"
html_title = f"{project} {release}"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
python_maximum_signature_line_length = 100
exclude_patterns = ["_build"]

#: Where a link out of the folder leads: to the page that shows the file.
SHOWN = {
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
    "SECURITY.md": "reporting.md",
    "example_dags": "examples.md",
}
_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)([^)#\s]+)(#[^)\s]*)?\)")


def _page(app: Any, name: str, source: list[str]) -> None:
    # A page in a folder of its own stands deeper.
    to_pages = "../" * name.count("/")

    def inside(match: re.Match[str]) -> str:
        label, upwards, path, anchor = match[1], match[2], match[3].rstrip("/"), match[4] or ""
        if upwards != f"../{to_pages}":
            return match[0]
        if path.startswith("example_dags/"):
            return f"[{label}]({to_pages}examples.md#{Path(path).stem.replace('_', '-')})"
        # Modules and tables have no page.
        return f"[{label}]({to_pages}{SHOWN[path]}{anchor})" if path in SHOWN else label

    source[0] = _LINK.sub(inside, source[0])


def _included(app: Any, path: Path, parent: str, source: list[str]) -> None:
    # The changelog stands above this folder.
    source[0] = source[0].replace("](docs/", "](")


def setup(app: Any) -> None:
    app.connect("source-read", _page)
    app.connect("include-read", _included)
