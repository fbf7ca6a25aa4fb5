"""Names for the shapes that cross this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

#: What a method is given, e.g. ``{"entityTypeId": 2, "filter": {">id": 100}}``. Wire names stay as they are.
Params: TypeAlias = Mapping[str, Any]

#: One object of a list as the portal sent it, e.g. ``{"id": 1036, "paid": "N", "sum": 0, …}``.
Row: TypeAlias = dict[str, Any]

#: Kind of a CRM item: 1 lead, 2 deal, 3 contact, 4 company, 7 quote, 31 invoice; each smart process has its own number.
EntityTypeId: TypeAlias = int
