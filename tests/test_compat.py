"""Names that Airflow keeps in different places: each is there in the Airflow of this test run."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24 import _compat


@pytest.mark.parametrize("name", sorted(_compat._PLACES))
def test_a_name_is_found_in_this_airflow_and_kept(name):
    value = getattr(_compat, name)
    names = {name, *(place.partition(":")[2] for place in _compat._PLACES[name])}
    # XCom is the backend that is configured, or the base of all.
    assert getattr(value, "__name__", "conf").removeprefix("Base") in {each.removeprefix("Base") for each in names}
    assert vars(_compat)[name] is value


def test_a_name_that_nobody_uses_is_not_there():
    assert not hasattr(_compat, "BaseSensor")
