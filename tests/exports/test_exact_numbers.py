"""Decimals where a format has only binary numbers, or texts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_bitrix24.exports.formats import exact_number


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("12.5000", 12.5),
        ("100.0000", 100.0),
        ("0.1", 0.1),
        ("12345678901234567890.1234567891", "12345678901234567890.1234567891"),
        ("-99999999999999999999.9999999999", "-99999999999999999999.9999999999"),
        ("12345678901234567890.1200000000", "12345678901234567890.12"),
        ("10000000000000000000000000001", "10000000000000000000000000001"),
    ],
)
def test_no_digit_is_lost(value, written):
    assert exact_number(Decimal(value)) == written
    assert Decimal(str(exact_number(Decimal(value)))) == Decimal(value)
