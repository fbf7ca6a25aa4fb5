"""
What follows from product rows: prices without discount and tax, and the amount of their owner.

Source: ``isManualOpportunity`` on the page of ``crm.item.add``; the examples of ``crm.item.productrow.*``, whose prices
follow from each other in cents.
"""

from __future__ import annotations

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.state.store import Store

#: ``discountTypeId``: an amount, or a share in per cent.
MONEY, PER_CENT = 1, 2


def settle(store: Store, entity_type_id: int, item: Row) -> None:
    """Set amount and tax to what the product rows say, if there are any and the amount is automatic."""
    owner = (entity_type_id, item["id"])
    # An object that never had rows keeps the amount that was written.
    if owner not in store.with_product_rows or item.get("isManualOpportunity", "N") == "Y":
        return
    rows = [row for row in store.product_rows if row["owner"] == owner]
    item["opportunity"] = plain(sum(row["price"] * row["quantity"] for row in rows))
    item["taxValue"] = plain(sum((row["price"] - row["priceExclusive"]) * row["quantity"] for row in rows))


def complete(row: Row) -> None:
    """
    Set what follows from ``price``, which is what one piece costs with tax after the discount.

    ``priceExclusive`` is the same without tax, ``priceNetto`` without discount and tax, ``priceBrutto`` without the
    discount but with tax. The discount is that of the price without tax.
    """
    tax = 1 + (row["taxRate"] or 0) / 100
    exclusive = plain(row["price"] / tax)
    if row["discountTypeId"] == MONEY:
        netto = plain(exclusive + row["discountSum"])
        row["discountRate"] = plain(100 * row["discountSum"] / netto) if netto else 0
    else:
        share = 1 - row["discountRate"] / 100
        netto = plain(exclusive / share) if share else exclusive
        row["discountSum"] = plain(netto - exclusive)
    row.update(priceExclusive=exclusive, priceNetto=netto, priceBrutto=plain(netto * tax), priceAccount=row["price"])


def plain(number: float) -> float | int:
    """Money has cents; a whole amount is printed without them."""
    number = round(number, 2)
    return int(number) if float(number).is_integer() else number
