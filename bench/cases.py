"""What is measured, and what the client is held to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from bench.bulk_write import SOURCES
from bench.files import WORK
from bench.portal import Portal, least_seconds
from bench.postgres import PostgresServer, free_port
from bench.runs import Bench, Run
from bench.sandbox import call_speeds, memory_mib, start_seconds
from bench.tables import TIMES
from bench.tables import WORK as TABLE_WORK
from bench.waiting import wait

#: The clients by their modules under ``subjects``.
SUBJECTS = {"bare": "requests.Session", "b24pysdk": "b24pysdk", "fast_bitrix24": "fast_bitrix24", "ours": "this client"}
#: Those that have a line only where the portal is distant.
DISTANT_SUBJECTS = {
    **SUBJECTS,
    "ours_in_turn": "this client, `parallel` 1",
    "rows": "the operators of this client",
    "rows_in_turn": "the operators of this client, `parallel` 1",
}
PEERS = ("b24pysdk", "fast_bitrix24")
ROUNDS = 5

CALLS = 200
DEALS, MANY_DEALS = 50_000, 500_000
PAYMENTS = 2_000
FILED_DEALS = 200_000
ROWS, FEW_ROWS = 100_000, 10_000
#: A distant portal: how much later it answers, what a command of a batch takes, and what is asked of it.
LATENCY_SECONDS, COMMAND_SECONDS = 0.1, 0.02
DISTANT_DEALS, DISTANT_PAYMENTS = 20_000, 1_000
#: Under the limit: how many deals are listed, then how many calls are made in all.
LIMITED_DEALS, LIMITED_CALLS = 10_000, 180
RATE, BURST = 2.0, 50
#: By how much the memory of two lists may differ in which more or fewer answers waited to be read.
WAITING_MIB = 32
SANDBOX_CALLS = 2_000
#: Tasks that wait in the triggerer: how often they look, and for how long.
WAITING_TASKS, WAITING_INTERVAL, WAITING_SECONDS = 1_000, 60.0, 185.0
#: The sandbox when it was first measured.
FIRST_TIMES_OF_BARE, FIRST_MANY_DEALS_MIB = 1.6, 296.0


@dataclass
class Table:
    """Lines of text under a heading, and promises with what they say of the numbers."""

    heading: str
    columns: tuple[str, ...]
    lines: list[tuple[str, ...]] = field(default_factory=list)
    #: The promise, what was measured, whether it is held.
    promises: list[tuple[str, str, bool]] = field(default_factory=list)

    def promise(self, promise: str, measured: str, held: bool) -> None:
        self.promises.append((promise, measured, held))


def calls(bench: Bench) -> Table:
    table = Table(f"{CALLS} single calls", ("client", "seconds", "client's CPU s", "ms a call"))
    with Portal(deals=CALLS, seed=1) as portal:
        runs = _rounds(SUBJECTS, lambda subject: bench.run(portal, subject, "calls", calls=CALLS))
    for subject, name in SUBJECTS.items():
        each = 1000 * _median(runs[subject]) / CALLS
        table.lines.append((name, _seconds(runs[subject]), _cpu(runs[subject]), f"{each:.2f}"))
    ours, bare, sdk = (_median(runs[subject]) for subject in ("ours", "bare", "b24pysdk"))
    table.promise("at most 1.15 times bare requests.Session", f"{ours / bare:.2f} times", ours <= 1.15 * bare)
    table.promise("at least 3 times faster than b24pysdk", f"{sdk / ours:.1f} times", sdk >= 3 * ours)
    return table


def rows(bench: Bench) -> Table:
    table = Table(
        f"{DEALS:,} deals listed, {MANY_DEALS:,} by this client alone",
        ("client", "seconds", "client's CPU s", "requests", "memory growth, MiB"),
    )
    with Portal(deals=DEALS, seed=1) as portal:
        runs = _rounds(SUBJECTS, lambda subject: bench.run(portal, subject, "rows", deals=DEALS))
    with Portal(deals=MANY_DEALS, seed=1) as portal:
        many = _rounds(("ours",), lambda subject: bench.run(portal, subject, "rows", deals=MANY_DEALS))["ours"]
    named = [(name, runs[subject]) for subject, name in SUBJECTS.items()]
    for name, measured in (*named, (f"{SUBJECTS['ours']}, {MANY_DEALS:,} deals", many)):
        requests = max(run.seen.requests for run in measured)
        table.lines.append((name, _seconds(measured), _cpu(measured), f"{requests:,}", f"{_growth_mib(measured):.0f}"))
    ours = runs["ours"]
    for measured, deals in ((ours, DEALS), (many, MANY_DEALS)):
        most, sent = math.ceil(deals / 2500 * 1.5) + 3, max(run.seen.requests for run in measured)
        table.promise(f"at most {most} requests for {deals:,} deals", str(sent), sent <= most)
    fastest = min(_median(runs[peer]) for peer in PEERS)
    table.promise(
        "not slower than the fastest peer", f"{_median(ours) / fastest:.2f} of its time", _median(ours) <= fastest
    )
    growth, growth_of_many = _growth_mib(ours), _growth_mib(many)
    table.promise("memory grows by less than 64 MiB", f"{growth:.1f} MiB", growth < 64)
    # The length of a list must not show; how many answers waited to be read does, up to 32 MiB of them.
    no_more = growth_of_many <= growth + WAITING_MIB
    promise = f"and by no more ({WAITING_MIB} MiB aside, for answers that wait) with {MANY_DEALS:,} deals"
    table.promise(promise, f"{growth_of_many:.1f} MiB", no_more)
    return table


def limited(bench: Bench) -> Table:
    table = Table(
        f"{LIMITED_DEALS:,} deals listed and {LIMITED_CALLS} single calls, by a portal that takes {BURST} requests "
        f"at once and {RATE:g} a second",
        ("client", "requests", "refused (503)", "seconds, first to last", "least the bucket allows", "end"),
    )
    for processes, words in ((1, "alone"), (4, "4 processes at once")):
        for subject in (*PEERS, "ours"):
            with Portal(deals=LIMITED_DEALS, seed=1, rate=RATE, burst=BURST) as portal:
                run = bench.run(
                    portal, subject, "rows_and_calls", limited=True, processes=processes,
                    deals=LIMITED_DEALS, calls=LIMITED_CALLS // processes,
                )  # fmt: skip
            seen = run.seen
            least = least_seconds(seen.requests - seen.refused, rate=RATE, burst=BURST)
            table.lines.append(
                (
                    f"{SUBJECTS[subject]}, {words}",
                    str(seen.requests),
                    str(seen.refused),
                    f"{seen.seconds:.1f}",
                    str(least),
                    run.failure or "all came",
                )
            )
            if subject == "ours":
                done = not run.failure
                table.promise(f"no 503 provoked, {words}", f"{seen.refused}", done and not seen.refused)
                share = seen.seconds / least if least else math.inf
                table.promise(
                    f"within 5 % of what the bucket allows, {words}", f"{share - 1:+.1%}", done and share <= 1.05
                )
    return table


def delete(bench: Bench) -> Table:
    table = Table(f"{PAYMENTS:,} payments deleted by batch", ("client", "seconds", "client's CPU s", "requests"))

    with Portal(deals=30, seed=1) as portal:
        runs = _rounds(
            SUBJECTS, lambda subject: bench.run(portal, subject, "delete", payment_ids=portal.add_payments(PAYMENTS))
        )
    for subject, name in SUBJECTS.items():
        requests = max(run.seen.requests for run in runs[subject])
        table.lines.append((name, _seconds(runs[subject]), _cpu(runs[subject]), str(requests)))
    requests, fewest = max(run.seen.requests for run in runs["ours"]), PAYMENTS // 50
    table.promise(f"at most {fewest * 3 // 2} requests", str(requests), requests <= fewest * 3 // 2)
    ours, fastest = _median(runs["ours"]), min(_median(runs[peer]) for peer in PEERS)
    table.promise("not slower than the fastest peer", f"{ours / fastest:.2f} of its time", ours <= fastest)
    return table


def bulk_write(bench: Bench) -> Table:
    columns = ("source", "seconds", "client's CPU s", "requests", "memory growth, MiB")
    table = Table(f"{ROWS:,} rows of a source added by the operator for bulk writes", columns)
    for kind in SOURCES:
        growths = {}
        for number in (FEW_ROWS, ROWS):
            with Portal(deals=0, tasks=0) as portal:
                run = bench.write(portal, kind, number)
            growths[number] = run.growth_mib
            figures = (_seconds([run]), _cpu([run]), f"{run.seen.requests:,}", f"{run.growth_mib:.1f}")
            table.lines.append((f"{kind}, {number:,} rows", *figures))
            table.promise(f"all {number:,} rows of {kind} are written", run.failure or "yes", not run.failure)
        growth = growths[ROWS]
        table.promise(f"memory grows by less than 32 MiB, {kind}", f"{growth:.1f} MiB", growth < 32)
        flat = growth < growths[FEW_ROWS] + 4
        table.promise(f"and by no more (4 MiB aside) than with {FEW_ROWS:,}, {kind}", f"{growth:.1f} MiB", flat)
    return table


def distant(bench: Bench) -> Table:
    table = Table(
        f"A portal whose answers take {LATENCY_SECONDS:g} s and {COMMAND_SECONDS:g} s for each command of a batch, "
        f"and that takes {BURST} requests at once and {RATE:g} a second",
        ("client", "task", "seconds", "client's CPU s", "requests", "refused (503)", "memory growth, MiB", "end"),
    )
    deals, deletes = f"{DISTANT_DEALS:,} deals listed", f"{DISTANT_PAYMENTS:,} payments deleted by batch"
    clients = ("b24pysdk", "fast_bitrix24", "ours_in_turn", "ours")
    runs: dict[tuple[str, str], Run] = {}

    def measure(subject: str, words: str, task: str, deals_there: int, payments: int = 0) -> None:
        # Each with a bucket of its own.
        slow = {"latency": LATENCY_SECONDS, "command_seconds": COMMAND_SECONDS, "rate": RATE, "burst": BURST}
        with Portal(deals=deals_there, seed=1, **slow) as portal:
            asked = {"payment_ids": portal.add_payments(payments)} if payments else {"deals": deals_there}
            run = runs[subject, words] = bench.run(portal, subject, task, limited=True, **asked)
        table.lines.append(
            (
                DISTANT_SUBJECTS[subject],
                words,
                f"{run.seconds:.1f}",
                f"{run.cpu_seconds:.2f}",
                str(run.seen.requests),
                str(run.seen.refused),
                f"{run.growth_mib:.0f}",
                run.failure or "all came",
            )
        )

    for subject in clients:
        measure(subject, deals, "rows", DISTANT_DEALS)
    for subject in (*clients, "rows_in_turn", "rows"):
        measure(subject, deletes, "delete", 30, DISTANT_PAYMENTS)
    many = f"{MANY_DEALS:,} deals listed"
    measure("ours", many, "rows", MANY_DEALS)
    for words, most_times, least_faster in ((deals, 1.2, 4), (deletes, 2.0, 9)):
        ours, in_turn = runs["ours", words], runs["ours_in_turn", words]
        fastest = min(runs[peer, words].seconds for peer in PEERS if not runs[peer, words].failure)
        table.promise(
            f"{words}: at most {most_times:g} times the fastest peer",
            f"{ours.seconds / fastest:.2f} times",
            ours.seconds <= most_times * fastest,
        )
        faster = in_turn.seconds / ours.seconds
        table.promise(
            f"{words}: at least {least_faster} times faster than one request after the other",
            f"{faster:.1f} times",
            faster >= least_faster,
        )
        most = 3 * in_turn.seen.requests // 2
        table.promise(
            f"{words}: at most half as many requests again", str(ours.seen.requests), ours.seen.requests <= most
        )
    by_operator, in_turn = runs["rows", deletes], runs["rows_in_turn", deletes]
    faster = in_turn.seconds / by_operator.seconds
    table.promise(
        f"{deletes}, by an operator: at least 9 times faster than one request after the other",
        f"{faster:.1f} times",
        faster >= 9,
    )
    sent, most = by_operator.seen.requests, 3 * in_turn.seen.requests // 2
    table.promise(f"{deletes}, by an operator: at most half as many requests again", str(sent), sent <= most)
    refused = by_operator.seen.refused + sum(runs["ours", words].seen.refused for words in (deals, deletes, many))
    table.promise("no 503 provoked", str(refused), refused == 0)
    seen = runs["ours", many].seen
    share = seen.seconds / least_seconds(seen.requests, rate=RATE, burst=BURST)
    table.promise(f"{many}: within 5 % of what the bucket allows", f"{share - 1:+.1%}", share <= 1.05)
    growth, growth_of_many = runs["ours", deals].growth_mib, runs["ours", many].growth_mib
    table.promise("memory grows by less than 64 MiB", f"{growth:.1f} MiB", growth < 64)
    no_more = growth_of_many <= min(64, growth + WAITING_MIB)
    promise = f"and by no more ({WAITING_MIB} MiB aside, for answers that wait) with {MANY_DEALS:,} deals"
    table.promise(promise, f"{growth_of_many:.1f} MiB", no_more)
    return table


def files(bench: Bench) -> Table:
    columns = ("deals, and what is done with their rows", "seconds", "client's CPU s", "requests", "memory growth, MiB")
    table = Table("All fields of deals in files, by the operator for loads", columns)
    runs: dict[tuple[str, int], Run] = {}
    for deals in (DEALS, FILED_DEALS):
        with Portal(deals=deals, seed=1) as portal:
            for work in WORK if deals == FILED_DEALS else ("Parquet",):
                run = runs[work, deals] = bench.load(portal, work, deals)
                figures = (_seconds([run]), _cpu([run]), f"{run.seen.requests:,}", f"{run.growth_mib:.0f}")
                table.lines.append((f"{deals:,}, {work}", *figures))
                table.promise(f"all {deals:,} rows, {work}", run.failure or "yes", not run.failure)
    typed, parquet = runs["typed", FILED_DEALS], runs["Parquet", FILED_DEALS]
    times = parquet.cpu_seconds / typed.cpu_seconds
    table.promise(
        "Parquet takes at most 1.3 times the CPU of making and typing the rows", f"{times:.2f} times", times <= 1.3
    )
    growth = parquet.growth_mib
    table.promise("memory grows by less than 160 MiB, Parquet", f"{growth:.0f} MiB", growth < 160)
    flat = growth < runs["Parquet", DEALS].growth_mib + 16
    table.promise(f"and by no more (16 MiB aside) than with {DEALS:,}, Parquet", f"{growth:.0f} MiB", flat)
    return table


def tables(bench: Bench) -> Table:
    columns = ("what brings the rows", "seconds", "client's CPU s", "requests", "memory growth, MiB")
    table = Table(f"All fields of {DEALS:,} deals in a table of Postgres, twice", columns)
    runs: dict[str, list[Run]] = {work: [] for work in TABLE_WORK}
    with Portal(deals=DEALS, seed=1) as portal, PostgresServer(port=free_port()) as server:
        typed = [bench.load(portal, "typed", DEALS) for _ in range(3)]
        for number, time in enumerate(TIMES):
            for work, measured in runs.items():
                measured.append(bench.load_table(portal, server, work, number))
                place = "ours_deals" if work == "the operator" else "dlt_deals.deals"
                ((rows, ids),) = server.execute(f"SELECT count(*), count(DISTINCT id) FROM {place}")
                whole = measured[-1].failure or f"{rows:,}"
                table.promise(f"each row once, {work}, {time} time", whole, whole == f"{DEALS:,}" and rows == ids)
    named = [(f"{work}, {time} time", [runs[work][n]]) for work in TABLE_WORK for n, time in enumerate(TIMES)]
    for name, each in (("typed, and not loaded", typed), *named):
        figures = (_seconds(each), _cpu(each), f"{each[-1].seen.requests:,}", f"{_growth_mib(each):.0f}")
        table.lines.append((name, *figures))
    making = median(run.cpu_seconds for run in typed)
    for ours, theirs, time in zip(*(runs[work] for work in TABLE_WORK), TIMES, strict=True):
        times, share = ours.cpu_seconds / making, ours.cpu_seconds / theirs.cpu_seconds
        promise = f"at most 1.3 times the CPU of making and typing the rows, {time} time"
        table.promise(promise, f"{times:.2f}", times <= 1.3)
        table.promise(f"less CPU than dlt (Parquet over ADBC), {time} time", f"{share:.2f} of it", share < 1)
    return table


def imports(bench: Bench) -> Table:
    table = Table("Import", ("module", "seconds", "seconds, Airflow being imported already"))
    airflow = "from airflow.sdk import DAG, BaseHook, BaseOperator"
    # The operator's module waits with the client until a task runs, so the client has a line of its own.
    ours = ("airflow_provider_bitrix24.operators.payment", "airflow_provider_bitrix24.rest.client")
    for module in (*PEERS, *ours):
        alone = "–"
        if module in PEERS:
            alone = _spread([bench.import_seconds(module) for _ in range(ROUNDS)])
        after = _spread([bench.import_seconds(module, after=airflow) for _ in range(ROUNDS)])
        table.lines.append((module, alone, after))
    return table


def sandbox(bench: Bench) -> Table:
    table = Table("The sandbox itself", ("figure", "measured"))
    ours, bare = call_speeds(SANDBOX_CALLS, ROUNDS)
    memory = memory_mib(bench, MANY_DEALS)
    starts = [start_seconds(bench) for _ in range(ROUNDS)]
    for name, speed in (("`server.time`", ours), ("a constant answer of its bare server", bare)):
        table.lines += [
            (f"calls a second over HTTPS, one after the other: {name}", f"{speed.calls_a_second:,.0f}"),
            (f"the server's CPU ms a call: {name}", f"{speed.cpu_ms:.3f}"),
        ]
    table.lines += [
        (f"memory of {MANY_DEALS:,} deals, MiB", f"{memory:.0f}"),
        ("CPU s from the import to a portal that listens", _spread(starts)),
    ]
    times = ours.cpu_ms / bare.cpu_ms
    most_times, most_mib = 1.1 * FIRST_TIMES_OF_BARE, 1.1 * FIRST_MANY_DEALS_MIB
    table.promise(
        f"a call takes at most {most_times:.2f} times the CPU of the constant answer",
        f"{times:.2f} times",
        times <= most_times,
    )
    table.promise(f"at most {most_mib:.0f} MiB for {MANY_DEALS:,} deals", f"{memory:.0f} MiB", memory <= most_mib)
    table.promise("a start in less than a second", f"{median(starts):.2f} s", median(starts) < 1)
    return table


def waiting(bench: Bench) -> Table:
    table = Table(f"{WAITING_TASKS:,} deferred payment sensors, one look every minute", ("figure", "measured"))
    with Portal(deals=1, seed=1) as portal:
        waited = wait(
            bench, portal, portal.add_payments(WAITING_TASKS), interval=WAITING_INTERVAL, seconds=WAITING_SECONDS
        )
    # The last round is at the deadline.
    rounds = math.ceil(WAITING_SECONDS / WAITING_INTERVAL)
    table.lines.append(("share of one core", f"{100 * waited.cpu_share:.1f} %"))
    table.lines.append(("memory growth, MiB", f"{waited.growth_mib:.0f}"))
    table.lines.append(("requests a round", f"{waited.requests / rounds:.0f}"))
    table.lines.append(("latest that the event loop came, s", f"{waited.late_seconds:.3f}"))
    table.lines.append(("threads", str(waited.threads)))
    table.promise(
        "at most 20 requests a round", f"{waited.requests} in {rounds} rounds", waited.requests <= 20 * rounds
    )
    table.promise("less than 10 % of one core", f"{100 * waited.cpu_share:.1f} %", waited.cpu_share < 0.1)
    table.promise("memory grows by less than 60 MiB", f"{waited.growth_mib:.0f} MiB", waited.growth_mib < 60)
    return table


CASES: dict[str, Callable[[Bench], Table]] = {
    case.__name__: case
    for case in (calls, rows, limited, delete, distant, bulk_write, files, tables, waiting, imports, sandbox)
}


def _rounds(subjects: Iterable[str], run: Callable[[str], Run], rounds: int = ROUNDS) -> dict[str, list[Run]]:
    """Each subject in turn, several times over: what disturbs the computer disturbs all of them."""
    runs: dict[str, list[Run]] = {subject: [] for subject in subjects}
    for _ in range(rounds):
        for subject, measured in runs.items():
            measured.append(run(subject))
            if measured[-1].failure:
                raise RuntimeError(f"{subject}: {measured[-1].failure}")
    return runs


def _median(runs: list[Run]) -> float:
    return median(run.seconds for run in runs)


def _growth_mib(runs: list[Run]) -> float:
    return max(run.growth_mib for run in runs)


def _seconds(runs: list[Run]) -> str:
    return _spread([run.seconds for run in runs])


def _cpu(runs: list[Run]) -> str:
    return f"{median(run.cpu_seconds for run in runs):.3f}"


def _spread(seconds: list[float]) -> str:
    return f"{median(seconds):.3f} ({min(seconds):.3f}–{max(seconds):.3f})"
