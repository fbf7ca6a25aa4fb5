"""Names of fields as they are compared where methods spell them in different ways."""

from __future__ import annotations

from typing import Any


def plain_name(name: Any) -> str:
    """``assignedbyid`` of ``ASSIGNED_BY_ID`` and of ``assignedById``, which are one field."""
    return str(name).replace("_", "").lower()
