"""
The clients that are measured, each through what its documentation offers for the task.

A subject is a module with

- ``calls(webhook, deal_ids)``: ``crm.deal.get`` for each, one after the other; the ids that came back;
- ``rows(webhook)``: all deals by ``crm.deal.list``, streamed where the client can;
- ``delete(webhook, payment_ids)``: ``crm.item.payment.delete`` in batches; how many answered true.

Each is given ``limited``: whether to keep to the portal's limit of requests as the client does by default.
"""
