"""What did not fit its column."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_bitrix24.exceptions import ConfigurationError

#: The column of values that do not fit.
BAD = "_bad"


@dataclass
class Misfits:
    """
    What did not fit its column, of one batch or of several.

    :param values: how many values there were, by column.
    :param bad: how many of them did not fit; they are null, and stand in the column ``_bad``.
    :param rounded: how many amounts had more decimals than their column.
    :param unlabelled: how many codes and ids have no text, by column of labels.
    """

    values: dict[str, int] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    rounded: dict[str, int] = field(default_factory=dict)
    unlabelled: dict[str, int] = field(default_factory=dict)

    def add(self, others: Misfits) -> None:
        for kind in ("values", "bad", "rounded", "unlabelled"):
            counts = getattr(self, kind)
            for name, count in getattr(others, kind).items():
                counts[name] = counts.get(name, 0) + count

    def worst(self) -> tuple[str, float]:
        """The column with the largest share of values that do not fit, and that share; 0 where all fit."""
        share, name = max(((bad / self.values[name], name) for name, bad in self.bad.items()), default=(0.0, ""))
        return name, share


def check_share(misfits: Misfits, max_bad_share: float, where: str) -> None:
    """
    :param max_bad_share: share of a column's values that may not fit it.
    :param where: what has been read, for the hint.
    :raises ConfigurationError: more of them do not fit.
    """
    name, share = misfits.worst()
    if share > max_bad_share:
        raise ConfigurationError(
            f"{misfits.bad[name]} of {misfits.values[name]} values of {name} do not fit its type, and the load is not "
            f"published: max_bad_share is {max_bad_share:g}",
            next_step=f"look at {BAD} in {where}; leave {name} out with select, or raise max_bad_share",
        )
