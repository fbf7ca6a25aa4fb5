"""
The clients that are measured, each through what its documentation offers for the task.

A module has one class ``Subject(webhook, limited=…)``, a context manager. ``limited`` says whether it keeps to the
portal's limit of requests as the client does by default; otherwise the client's own limit is opened wide. It has

- ``calls(deal_ids)``: ``crm.deal.get`` for each, one after the other; returns the ids that came back;
- ``rows()``: all deals by ``crm.deal.list``, streamed where the client can;
- ``delete(payment_ids)``: ``crm.item.payment.delete`` in batches; returns how many answered true.
"""
