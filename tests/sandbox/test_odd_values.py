"""Whatever stands in a request, a portal answers or refuses: the sandbox itself never fails."""

from __future__ import annotations

import copy
import random

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods import METHODS
from tests.sandbox import contract
from tests.sandbox.contract_objects import new_objects
from tests.sandbox.snapshot import Snapshot

PAGES = {page: content for page, content in contract.pages().items() if page.lower() in METHODS}
ODD = (
    *(None, "", [], {}, -1, 0, 1.5, 10**30, "9" * 30, True, False, "abc", "%", "<", "2026-13-45", "ü\u202e"),
    *({"a": {"b": 1}}, [[1]], ["x"], [None], {"0": 1, "1": 2}, {"id": None}),
)
#: Of each printed request so many variants are tried: the same ones in every run.
VARIANTS = 25


@pytest.fixture(scope="module")
def send(open_line):
    with Sandbox(deals=6, tasks=3, employees=2, seed=1, operating_limit=10_000) as portal:
        line = open_line(portal)

        def post(method, params):
            as_application = method.startswith("event") and isinstance(params, dict)
            return (line.as_application if as_application else line.post)(method, params)

        objects = new_objects(portal, lambda method, params: post(method, params)[1]["result"])
        snapshot = Snapshot(portal)

        def one(method, params):
            answer = post(method, params)
            snapshot.restore()
            return answer

        yield one, objects


def _places(value, path=()):
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from _places(part, (*path, key))


def _variants(params, chance):
    changes = [(path, odd) for path in _places(params) for odd in ODD]
    for path, odd in chance.sample(changes, min(VARIANTS, len(changes))):
        changed = copy.deepcopy(params)
        target = changed
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = odd
        yield changed
    yield from chance.sample(ODD, 2)


@pytest.mark.parametrize("page", PAGES)
def test_odd_values_are_answered_or_refused(page, send):
    post, objects = send
    printed = next((request["params"] for request in PAGES[page]["requests"] if "params" in request), {})
    ready = contract.made_ready(page, printed, objects)
    for params in _variants(ready, random.Random(page)):
        status, body = post(page, params)
        assert status < 500, (params, body)
        assert ("result" in body) != ("error" in body), (params, body)
