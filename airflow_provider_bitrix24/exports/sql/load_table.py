"""
One load on its way into a table: its parts in a staging table, and one publish.

The staging table, ``_bitrix24_stage_<load>``, stands beside the target. A part is put in one transaction with its row
in the ledger; the publish changes the target, the watermark and the ledger in one more.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.exports.drift import KEY, DriftRules, Placement
from airflow_provider_bitrix24.exports.parts import Part, parts_in_order
from airflow_provider_bitrix24.exports.sql.claims import (
    DONE,
    PUBLISHED,
    STAGING,
    check_claims,
    claim,
    is_held,
    outlived,
)
from airflow_provider_bitrix24.exports.sql.database import Database
from airflow_provider_bitrix24.exports.sql.kept_labels import check_labels, keep_labels
from airflow_provider_bitrix24.exports.sql.kinds import MOMENT, Merge
from airflow_provider_bitrix24.exports.sql.ledger import LOAD, PART, WATERMARK, Ledger
from airflow_provider_bitrix24.exports.sql.table_names import TableName
from airflow_provider_bitrix24.exports.windows import moment_of

log = logging.getLogger(__name__)

#: Which load has brought a row, where each load adds its own.
LOAD_COLUMN = "_load"
#: When a row was found to be deleted at the portal; null where it is there.
DELETED_COLUMN = "_deleted_at"
STAGE = "_bitrix24_stage_"


@dataclass(frozen=True)
class Aim:
    """
    What a load is to become.

    :param write: ``"upsert"``, ``"replace"`` or ``"append"``.
    :param columns: those that are known before the first row, with their Arrow types.
    :param newer: the column of the time of change; None where there is none.
    :param marks_deleted: whether the table says which rows are deleted.
    :param owner: where rows belong to owners, the column that names the owner: all rows of one are replaced together,
        and an owner without any has a row without a key.
    """

    target: TableName
    write: str
    columns: Mapping[str, str]
    newer: str | None
    drift: DriftRules
    marks_deleted: bool = False
    owner: str | None = None


def release(database: Database, target: TableName, task: str, try_number: int) -> None:
    """Let other loads into a table that a task holds by this try, or by one before it."""
    ledger = Ledger(database, target)
    for name, _ in ledger.all(LOAD) if ledger.is_there else ():
        with database.transaction():
            load = ledger.locked(LOAD, name)
            if load is not None and is_held(load, task, try_number):
                ledger.put(LOAD, name, {**load, "seen": 0})


class LoadTable:
    """
    :param name: of the load, the same for each try of a series.
    :param task: whose load it is, the same for each series.
    :param try_number: of the task.
    """

    def __init__(self, database: Database, aim: Aim, name: str, task: str, try_number: int) -> None:
        self.ledger = Ledger(database, aim.target)
        #: The table beside the target that the parts are put into.
        self.stage = aim.target.beside(f"{STAGE}{name}")
        self._database, self._aim, self._name, self._task = database, aim, name, task
        self._try_number = try_number
        self._writer = uuid.uuid4().hex
        self._stage_columns: dict[str, str] = {}
        self._present: dict[str, str] = {}
        self.placed = Placement()

    def watermark(self, key: str) -> str | None:
        """The portal's time at which the last load of a source began; None before the first one."""
        kept = self.ledger.get(WATERMARK, key) if self.ledger.is_there else None
        return None if kept is None else str(kept["watermark"])

    def begin(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """
        Claim the table and keep the plan of the first try, or return it: a later try goes on under the same window.

        :raises ConfigurationError: another load is under way that this one must not meet, or the table does not fit.
        """
        self._look_at_target()
        with self._database.transaction():
            self.ledger.lock()
            keep_labels(self.ledger, self._aim.columns, self._aim.drift.labels)
            own = self._claim(plan)
            if own["state"] == STAGING:
                # Earlier tries have put parts with other columns, or have added columns to a table of MySQL.
                earlier = Placement(**own.get("placed", {}))
                earlier.add(self.placed)
                self.placed = earlier
                own = {**own, "writer": self._writer, "try": self._try_number, **self._present_state()}
                self.ledger.put(LOAD, self._name, own)
        self._tidy()
        if own["state"] == STAGING:
            self._prepare_stage()
        return dict(own["plan"])

    def _claim(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """The row of this load in the ledger, of an earlier try or a new one."""
        loads = {name: value for (name, _), value in self.ledger.all(LOAD).items()}
        own = loads.get(self._name)
        for name in outlived(loads, self._name):
            self.ledger.forget(LOAD, name)
        if own is None:
            self._check_not_added()
        if own is None or (own["state"] != STAGING and own["report"] is None):
            own = claim(plan, self._task, self._aim.write)
            for name in check_claims(own, loads, self._aim.target):
                self.ledger.forget(PART, name)
                self.ledger.put(LOAD, name, {**loads[name], "state": PUBLISHED, "report": None})
        return dict(own)

    def report(self) -> dict[str, Any] | None:
        """What the load has come to; None before it is published."""
        kept = self.ledger.get(LOAD, self._name)
        return None if kept is None else kept["report"]

    def parts(self) -> list[Part]:
        """
        The parts that earlier tries have put, in their order.

        :raises ConfigurationError: two processes wrote them.
        """
        return parts_in_order(self.ledger.all(PART, self._name).values(), self.stage)

    def put(self, file: Path, part: Part) -> None:
        """
        Put a part that is whole in an Arrow file of this worker.

        :raises ConfigurationError: another process has gone on with the load.
        """
        with pa.memory_map(str(file)) as mapped, pa.ipc.open_file(mapped) as reader:
            placed = self._place({field.name: str(field.type) for field in reader.schema})
            with self._database.transaction():
                self._still_own()
                for number in range(reader.num_record_batches):
                    batch = reader.get_batch(number)
                    arrays = [_as(batch.column(name), arrow) for name, (_, arrow) in placed.targets.items()]
                    names = [name for name, _ in placed.targets.values()]
                    self._stage_rows(pa.RecordBatch.from_arrays(arrays, names=names), part)
                self.ledger.add(PART, self._name, asdict(part), part.number)

    def _stage_rows(self, rows: Any, part: Part) -> None:
        self._database.stage(self.stage, rows.schema.names, rows)

    def publish(self, report: Mapping[str, Any], source_key: str) -> dict[str, Any]:
        """
        Make the load visible: the rows, the watermark and the ledger in one transaction.

        :param report: of the load, which a later try returns.
        :param source_key: whose watermark it is.
        """
        kind = self._database.kind
        staged = self._database.columns(self.stage)
        self._check_key(staged)
        rows = sum(part.rows for part in self.parts())
        if not kind.changes_tables_in_transactions:
            # Another load may be adding the same columns: what is wrong in the second look is wrong.
            with suppress(Bitrix24Error):
                self._shape(staged)
            self._shape(staged)
        with self._database.transaction():
            self.ledger.lock()
            own = self._still_own()
            if kind.changes_tables_in_transactions:
                self._shape(staged)
            self._check_rows(rows, kind.table(self.stage))
            for sql in self._statements(list(staged)):
                self._database.execute(sql)
            done = self._done(own, report, source_key)
        self._tidy()
        return done

    def _done(self, own: Mapping[str, Any], report: Mapping[str, Any], source_key: str) -> dict[str, Any]:
        """Move the watermark, and keep what a load has come to whose rows are in the target."""
        done = {**report, "new_columns": self.placed.new, "changed_columns": self.placed.changed}
        if self.placed.ignored:
            done["ignored_columns"] = self.placed.ignored
        self._move_watermark(own["plan"]["watermark"], source_key)
        self.ledger.put(LOAD, self._name, {**own, "state": PUBLISHED, "report": done})
        return done

    def add_to_report(self, report: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
        """Add to the report of a load that is published, and return all of it."""
        whole = {**report, **more}
        with self._database.transaction():
            own = self.ledger.locked(LOAD, self._name)
            # Many others may have ended meanwhile, for which it has been forgotten.
            if own is not None:
                self.ledger.put(LOAD, self._name, {**own, "report": whole})
        return whole

    def _check_not_added(self) -> None:
        """:raises ConfigurationError: an earlier try has added its rows, and the ledger has forgotten it since."""
        if self._aim.write != "append" or self._try_number <= 1 or LOAD_COLUMN not in self._present:
            return
        kind = self._database.kind
        table, column = kind.table(self._aim.target), kind.quoted(LOAD_COLUMN)
        sql = f"SELECT 1 FROM {table} WHERE {column} = {kind.mark} LIMIT 1"  # noqa: S608
        if self._database.execute(sql, (self._name,)):
            raise ConfigurationError(
                f"an earlier try of this task has added its rows to {self._aim.target}, with {LOAD_COLUMN} "
                f"{self._name}, and so many loads have ended since that its report is forgotten",
                next_step="mark the task as successful; or delete these rows, and clear it to load them again",
            )

    def _look_at_target(self) -> None:
        """:raises ConfigurationError: the table does not fit, which is seen before any row is read."""
        self._present = self._folded(self._database.columns(self._aim.target))
        check_labels(self.ledger, self._aim.columns, self._aim.drift.labels, self._present, self._aim.target)
        self._place(self._aim.columns)
        self.ledger.prepare()
        self._check_target()

    def _check_target(self) -> None:
        """:raises ConfigurationError: nothing makes the key of the table unique."""
        finds_key = self._database.kind.finds_key
        if self._aim.write != "upsert" or not self._present or finds_key is None:
            return
        names = {"table": self._database.kind.table(self._aim.target), "key": self._database.kind.quoted(KEY)}
        try:
            self._database.execute(finds_key.format(**names))
        except Bitrix24Error as error:
            raise ConfigurationError(
                f"{self._aim.target} has no unique index on {KEY}, by which rows replace each other ({error.reason})",
                next_step='make one, or set write="replace" or "append"; a load that finds no table makes it with one',
            ) from None

    def _prepare_stage(self) -> None:
        if not self.parts():
            # What a killed try has left of it has no part.
            self._database.drop(self.stage)
            placed = self._place(self._aim.columns)
            types = {name: self._database.kind.type_of(arrow) for name, arrow in placed.targets.values()}
            self._create_stage(types)
        self._stage_columns = self._folded(self._database.columns(self.stage))
        self._place(self._aim.columns)

    def _create_stage(self, types: Mapping[str, str]) -> None:
        self._database.create(self.stage, types)

    def _place(self, columns: Mapping[str, str]) -> Placement:
        """Where columns go, and see that the staging table has them."""
        kind = self._database.kind

        def holds(present: str, arrow: str) -> bool:
            return kind.holds(present, kind.type_of(arrow))

        placed = self._aim.drift.place(columns, self._present, holds, self._aim.target)
        for name, arrow in placed.targets.values():
            if not self._stage_columns:
                break
            if name not in self._stage_columns:
                self._database.add_column(self.stage, name, kind.type_of(arrow))
                self._stage_columns[name] = kind.type_of(arrow)
            elif not holds(self._stage_columns[name], arrow):
                raise ConfigurationError(
                    f"the type of {name} has changed while rows were read into {self._aim.target}",
                    next_step="clear the task: it begins a load of its own",
                )
        self.placed.add(placed)
        return placed

    def _folded(self, columns: Mapping[str, str]) -> dict[str, str]:
        folds = self._database.kind.folds_case
        return {name.lower() if folds else name: type_ for name, type_ in columns.items()}

    def _still_own(self) -> dict[str, Any]:
        """
        The row of this load, which nobody else changes until the transaction ends.

        :raises ConfigurationError: another process writes it, or another load has taken its place.
        """
        own = self.ledger.locked(LOAD, self._name)
        if own is None or own["state"] != STAGING or own.get("writer") != self._writer:
            raise ConfigurationError(
                f"another process has taken over the load into {self._aim.target}",
                next_step="end one of them; the other goes on",
            )
        own = {**own, **self._present_state()}
        self.ledger.put(LOAD, self._name, own)
        return own

    def _present_state(self) -> dict[str, Any]:
        """What the ledger learns of the load with each part."""
        return {"seen": time.time(), "placed": self.placed.kept()}

    def _shape(self, staged: Mapping[str, str]) -> None:
        """Create the target, or add what it lacks."""
        kind, aim = self._database.kind, self._aim
        present = self._folded(self._database.columns(aim.target))
        wanted = dict(staged)
        if aim.write == "append":
            wanted[LOAD_COLUMN] = kind.type_of("string")
        if aim.marks_deleted:
            wanted[DELETED_COLUMN] = kind.type_of(MOMENT)
        if aim.write != "append" and KEY in wanted and not present:
            wanted[KEY] = kind.key_text if wanted[KEY] == kind.type_of("string") else wanted[KEY]
        if not present:
            has_key = aim.write != "append" and KEY in wanted
            newer = aim.newer if aim.newer in wanted else None
            self._database.create(aim.target, wanted, (KEY,) if has_key else (), newer)
            return
        for name, type_ in wanted.items():
            if name not in present:
                self._database.add_column(aim.target, name, type_)
            elif not kind.holds(present[name], type_) and (name, type_) != (KEY, kind.type_of("string")):
                raise Bitrix24Error(
                    f"the column {name} of {aim.target} has become {present[name]} while rows were read",
                    retryable=True,
                )

    def _check_key(self, staged: Mapping[str, str]) -> None:
        if self._aim.write == "upsert" and KEY not in staged:
            raise ConfigurationError(
                f"the rows have no column {KEY}, by which they would replace each other in {self._aim.target}",
                next_step='set write="replace" or "append"',
            )

    def _check_rows(self, rows: int, staged: str) -> None:
        """
        :param staged: the rows of all parts, as a statement selects from them.
        :raises ConfigurationError: they are more or fewer.
        """
        (count,) = self._database.execute(f"SELECT count(*) FROM {staged}")[0]  # noqa: S608
        if int(count) != rows:
            raise ConfigurationError(
                f"{count} rows are staged for {self._aim.target}, and {rows} were read: something else wrote there",
                next_step="clear the task: it begins a load of its own",
            )

    def _statements(self, names: Sequence[str]) -> list[str]:
        kind, aim = self._database.kind, self._aim
        target, stage, key = kind.table(aim.target), kind.table(self.stage), kind.quoted(KEY)
        columns = ", ".join(map(kind.quoted, names))
        which = "" if aim.owner is None else f" WHERE {key} IS NOT NULL"
        if aim.write == "append":
            marked = f"{columns}, {kind.quoted(LOAD_COLUMN)}"
            return [f"INSERT INTO {target} ({marked}) SELECT {columns}, '{self._name}' FROM {stage}{which}"]  # noqa: S608
        insert = f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {stage}{which}"  # noqa: S608
        if aim.write == "replace":
            return [f"DELETE FROM {target}", insert]  # noqa: S608
        if aim.owner is not None:
            owner = kind.quoted(aim.owner)
            of_owners = f"DELETE FROM {target} WHERE {owner} IN (SELECT {owner} FROM {stage})"  # noqa: S608
            # A row may have come from another owner.
            of_rows = f"DELETE FROM {target} WHERE {key} IN (SELECT {key} FROM {stage}{which})"  # noqa: S608
            return [of_owners, of_rows, insert]
        newer = kind.quoted(aim.newer) if aim.newer is not None and aim.newer in names else None
        has_marks = DELETED_COLUMN in self._folded(self._database.columns(aim.target))
        resets = (kind.quoted(DELETED_COLUMN),) if has_marks else ()
        if kind.merge is None:
            raise TypeError(f"rows are not merged in {kind.name}")
        return kind.merge(Merge(target, stage, tuple(map(kind.quoted, names)), key, newer, resets))

    def _move_watermark(self, watermark: str | None, source_key: str) -> None:
        """Move it forward; a load that ends late never moves it back."""
        present = self.watermark(source_key)
        if watermark is not None and (present is None or moment_of(present) < moment_of(watermark)):
            self.ledger.put(WATERMARK, source_key, {"watermark": watermark, "load": self._name})

    def _tidy(self) -> None:
        """Drop the staging tables of loads that are over."""
        for (name, _), value in self.ledger.all(LOAD).items():
            if value["state"] != PUBLISHED:
                continue
            self._drop_stage(name)
            with self._database.transaction():
                # Another load may be tidying too.
                kept = self.ledger.locked(LOAD, name)
                if kept is not None and kept["state"] == PUBLISHED:
                    self.ledger.forget(PART, name)
                    self.ledger.put(LOAD, name, {**kept, "state": DONE})

    def _drop_stage(self, name: str) -> None:
        self._database.drop(self._aim.target.beside(f"{STAGE}{name}"))


def _as(array: Any, arrow: str) -> Any:
    """A column in the type that the table has for it, which is its own or text."""
    return array if str(array.type) == arrow else array.cast(pa.string())
