"""What did not fit its column."""

from __future__ import annotations

from dataclasses import dataclass, field

#: The column of values that do not fit.
BAD = "_bad"


@dataclass
class Misfits:
    """
    What did not fit its column, of one batch or of several.

    :param values: how many values there were, by column.
    :param bad: how many of them did not fit; they are null, and stand in the column ``_bad``.
    :param rounded: how many amounts had more decimals than their column.
    """

    values: dict[str, int] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    rounded: dict[str, int] = field(default_factory=dict)

    def add(self, others: Misfits) -> None:
        for counts, more in ((self.values, others.values), (self.bad, others.bad), (self.rounded, others.rounded)):
            for name, count in more.items():
                counts[name] = counts.get(name, 0) + count

    def worst(self) -> tuple[str, float]:
        """The column with the largest share of values that do not fit, and that share; 0 where all fit."""
        share, name = max(((bad / self.values[name], name) for name, bad in self.bad.items()), default=(0.0, ""))
        return name, share
