"""What a new portal holds: the same objects for the same seed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import (
    COMPANY,
    CONTACT,
    DEAL,
    INVOICE,
    LEAD,
    QUOTE,
    SMART_PROCESS,
    Row,
)
from airflow_provider_bitrix24.sandbox.php import SERVER_ZONE
from airflow_provider_bitrix24.sandbox.state.directories import semantics_of
from airflow_provider_bitrix24.sandbox.state.store import PAY_SYSTEMS, Store, new_task, set_paid, stage_fields
from airflow_provider_bitrix24.sandbox.state.users import User

#: ``iblockId`` of the catalogue.
CATALOGUE = 23

_DEAL_STAGES = ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON", "LOSE")
_LEAD_STAGES = ("NEW", "IN_PROCESS", "PROCESSED", "CONVERTED", "JUNK")
FIRST_MOMENT = datetime(2026, 1, 12, 9, 0, tzinfo=SERVER_ZONE)

_GOODS = ("Oak door", "Steel gate", "Office chair", "Delivery van", "Coffee beans", "Website", "Night lamp", "Bicycle")
_NAMES = ("Ada", "Boris", "Clara", "David", "Elena", "Felix", "Galina", "Hugo", "Irina", "Jonas")
_SURNAMES = ("Adler", "Berg", "Chekov", "Dorn", "Egorova", "Frost", "Grau", "Holm", "Ivanov", "Jung")


def employees(count: int) -> list[User]:
    """Users without a webhook; every fifth is dismissed."""
    return [
        User(
            id=number,
            first_name=_NAMES[number % 10],
            last_name=_SURNAMES[number // 10 % 10],
            email=f"user{number}@example.com",
            code="",
            active=number % 5 != 0,
        )
        for number in range(11, 11 + count)
    ]


def fill(store: Store, *, deals: int, tasks: int, seed: int) -> None:
    """Deals, of which every third has 1 to 3 payments (some paid), tasks, and a few objects of every other kind."""
    chance = random.Random(seed)
    few = min(deals, 20)
    for number in range(1, few + 1):
        store.items[COMPANY].add({"title": f"{_SURNAMES[number % 10]} & Co {number}", **_made(number)})
        name, surname = _NAMES[number % 10], _SURNAMES[chance.randrange(10)]
        phone = {"id": 2 * number - 1, "valueType": "WORK", "value": f"+1555{number:07}", "typeId": "PHONE"}
        mail = {"id": 2 * number, "valueType": "WORK", "value": f"contact{number}@example.com", "typeId": "EMAIL"}
        person = {"name": name, "lastName": surname, "companyId": number, "hasPhone": "Y", "hasEmail": "Y"}
        store.items[CONTACT].add({**person, "fm": [phone, mail], **_made(number)})
        store.items[LEAD].add(
            {"title": f"Lead #{number}", "name": name, **_stage(_LEAD_STAGES[number % 5]), **_made(number)}
        )
        store.items[SMART_PROCESS].add({"title": f"Delivery #{number}", **_made(number)})
    add_deals(store, deals, chance)
    for number, name in enumerate(_GOODS, start=1):
        times = dict.fromkeys(("dateCreate", "timestampX", "dateActiveFrom"), _moment(number))
        code = {"code": name.lower().replace(" ", "-"), "xmlId": str(4300 + number)}
        sizes = dict.fromkeys(("height", "length", "width", "weight"), 100)
        numbers = {"quantity": 10 * number, "quantityReserved": 1, "vatId": 1, "purchasingPrice": 100 * number}
        place = {"iblockId": CATALOGUE, "iblockSectionId": 47, "purchasingCurrency": "USD"}
        store.products.add({"name": name, **code, **sizes, **numbers, **place, **times})
    for number in range(1, max(1, few // 4) + 1 if deals else 1):
        store.items[QUOTE].add({"title": f"Quote #{number}", "opportunity": 100.0 * number, **_made(number)})
        store.items[INVOICE].add({"title": f"Invoice #{number}", "opportunity": 250.0 * number, **_made(number)})
    for deal_id in store.items[DEAL].ids[:few]:
        activity_id = store.activities.add(_call_about(deal_id))
        store.calls.add(_statistic_of(deal_id, activity_id, store.items[DEAL].rows[deal_id].get("contactId", 0)))
        _remember_stages(store, deal_id)
    store.next_multi_field_id = 2 * few + 1
    _add_payments(store, chance)
    for number in range(1, tasks + 1):
        task = new_task(f"Task #{number}", at=_moment(number), responsible_id=7, created_by=1)
        store.tasks.add(task)


def _remember_stages(store: Store, deal_id: int) -> None:
    """The way of a deal to its stage: created as a new one, then moved once."""
    row = store.items[DEAL].rows[deal_id]
    created, stage_id = row["createdTime"], row["stageId"]
    for position, stage in enumerate(dict.fromkeys((_DEAL_STAGES[0], stage_id))):
        meaning = semantics_of(stage)
        type_id = 1 if not position else 2 if meaning == "P" else 3
        store.remember_stage(DEAL, deal_id, type_id=type_id, at=created, category_id=0, stage_id=stage, meaning=meaning)


def _stage(code: str) -> Row:
    return stage_fields(code, semantics_of(code))


def add_items(store: Store, entity_type_id: int, count: int, **fields: Any) -> list[int]:
    """``count`` more objects of a kind; ``{number}`` in a text becomes the object's number."""
    table = store.items[entity_type_id]
    new_ids = []
    for number in range(len(table) + 1, len(table) + count + 1):
        own = {name: value.replace("{number}", str(number)) if isinstance(value, str) else value
               for name, value in fields.items()}  # fmt: skip
        new_ids.append(table.add({**_made(number), **own}))
    return new_ids


def add_deals(store: Store, count: int, chance: random.Random, **fields: Any) -> list[int]:
    """``count`` more deals; ``fields`` (``crm.item`` names) are the same in each."""
    table = store.items[DEAL]
    contacts, companies = len(store.items[CONTACT]), len(store.items[COMPANY])
    new_ids = []
    for number in range(len(table) + 1, len(table) + count + 1):
        row: Row = {
            "title": f"{_GOODS[chance.randrange(8)]} #{number}",
            **_stage(fields.get("stageId", _DEAL_STAGES[chance.randrange(7)])),
            "opportunity": chance.randrange(100, 1_000_000) / 100,
            "companyId": 1 + number % companies if companies else 0,
            "contactId": 1 + number % contacts if contacts else 0,
            **_made(number),
        }
        row.update(fields)
        new_ids.append(table.add(row))
    return new_ids


def _made(number: int) -> Row:
    """Times of one object: one minute after the one before, and who is responsible."""
    moment = _moment(number)
    return {"createdTime": moment, "updatedTime": moment, "assignedById": 7 if number % 4 == 0 else 1}


def _call_about(deal_id: int) -> Row:
    """An open phone call, as ``crm.activity.list`` shows it."""
    return {
        "OWNER_ID": deal_id,
        "OWNER_TYPE_ID": DEAL,
        "TYPE_ID": 2,
        "PROVIDER_ID": "VOXIMPLANT_CALL",
        "SUBJECT": f"Call about deal {deal_id}",
        "CREATED": _moment(deal_id),
        "LAST_UPDATED": _moment(deal_id),
        "DEADLINE": _moment(deal_id + 60),
        "COMPLETED": "N",
        "RESPONSIBLE_ID": 1,
        "DESCRIPTION": "",
    }


def _statistic_of(deal_id: int, activity_id: int, contact_id: int) -> Row:
    """The same call, as ``voximplant.statistic.get`` shows it: every second one came to nothing."""
    missed = deal_id % 2 == 0
    return {
        "CALL_ID": f"{deal_id:016X}.1754478570.{deal_id}",
        "CALL_CATEGORY": "external",
        "PORTAL_USER_ID": 1,
        "PORTAL_NUMBER": "reg133788",
        "PHONE_NUMBER": f"+1555{deal_id:07}",
        "CALL_TYPE": 1 + deal_id % 2,
        "CALL_DURATION": 0 if missed else 30 + deal_id,
        "CALL_START_DATE": _moment(deal_id),
        "COST": 0.0,
        "COST_CURRENCY": "USD",
        "CALL_FAILED_CODE": "304" if missed else "200",
        "CALL_FAILED_REASON": "Missed call" if missed else "Success call",
        "CRM_ENTITY_TYPE": "CONTACT",
        "CRM_ENTITY_ID": contact_id,
        "CRM_ACTIVITY_ID": activity_id,
        "TRANSCRIPT_PENDING": "N",
        "SESSION_ID": 3_000_000_000 + deal_id,
    }


def _moment(number: int) -> str:
    return (FIRST_MOMENT + timedelta(minutes=number)).isoformat()


def _add_payments(store: Store, chance: random.Random) -> None:
    owners = [(DEAL, row_id) for row_id in store.items[DEAL].ids[::3][:300]]
    owners += [(INVOICE, row_id) for row_id in store.items[INVOICE].ids]
    for entity_type_id, entity_id in owners:
        for _ in range(chance.randrange(1, 4)):
            payment = store.add_payment(entity_type_id, entity_id, pay_system_id=chance.choice(list(PAY_SYSTEMS)))
            payment["sum"] = chance.randrange(100, 90_000) / 100
            if chance.random() < 0.3:
                moment = store.items[entity_type_id].rows[entity_id]["createdTime"]
                set_paid(payment, True, at=moment, user_id=1)
