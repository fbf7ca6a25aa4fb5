"""Text where a list wants an array is refused: a list that ignores it returns everything."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods import METHODS
from tests.sandbox import contract
from tests.sandbox.contract_objects import new_objects
from tests.sandbox.parameters import documented, with_value

PAGES = {page: content for page, content in contract.pages().items() if page.lower() in METHODS}
#: Their parameters go by place, and each place has an error of its own.
BY_PLACE = {"task.elapseditem.getlist", "task.commentitem.getlist", "task.checklistitem.getlist"}
#: Their printed request is refused, see `test_contract.py`.
REFUSED = {"sale.payment.list"}

ARRAYS = [
    pytest.param(page, parameter, id=f"{page}-{parameter.name}")
    for page, content in PAGES.items()
    for parameter in documented(page, content)
    if page not in BY_PLACE and len(parameter.path) == 1
    if str(parameter.path[0]).lower() in ("filter", "order", "select")
    and parameter.type.startswith(("array", "object"))
]


@pytest.fixture(scope="module")
def call(open_line):
    with Sandbox(deals=3, seed=1, tasks=3, employees=2) as portal:
        line = open_line(portal)

        def post(method, params):
            return (line.as_application if method.startswith("event") else line.post)(method, params)[1]

        objects = new_objects(portal, lambda method, params: post(method, params)["result"])
        yield post, objects


@pytest.mark.parametrize(("page", "parameter"), ARRAYS)
def test_text_is_refused(page, parameter, call):
    post, objects = call
    printed = next(request["params"] for request in PAGES[page]["requests"] if "params" in request)
    params = {name: value for name, value in contract.made_ready(page, printed, objects).items() if name != "auth"}
    if page in REFUSED:
        params = {}
    assert "result" in post(page, params)
    answer = post(page, with_value(params, parameter.path, "ID"))
    assert "error" in answer, answer
