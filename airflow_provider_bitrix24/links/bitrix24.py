"""The link from a task in Airflow's page to the page of the portal that the task is about."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24._compat import BaseOperatorLink

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.portal import Portal

log = logging.getLogger(__name__)

#: Where a task leaves the address.
XCOM_KEY = "bitrix24_link"


class Bitrix24Link(BaseOperatorLink):
    """
    "Open in Bitrix24": the deal, invoice, contact, list, payment, task or chat that a task is about.

    Of failed and of mapped tasks too. What has no known page has no link, see :mod:`links.pages`.
    """

    name = "Open in Bitrix24"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """
        Return the address that the task has left; an empty text where there is none.

        Airflow 2 calls it in its web server; Airflow 3 in the worker, when the task ends, and keeps what it returns.
        """
        # It needs Airflow's database, or the task's supervisor.
        from airflow_provider_bitrix24._compat import XCom

        try:
            address = XCom.get_value(key=XCOM_KEY, ti_key=ti_key)
        except Exception as error:
            # An XCom backend of others, without which all links of a task would be missing.
            log.warning("The link to Bitrix24 cannot be read: %s", type(error).__name__)
            return ""
        return address if isinstance(address, str) else ""


def leave(ti: Any, portal: Portal, page: Callable[..., str | None], *parts: Any) -> None:
    """
    Leave the address of a page for :class:`Bitrix24Link`: scheme, host and page, nothing secret.

    Nothing is asked of the portal, and what fails here changes nothing for the task.

    :param page: of :mod:`links.pages`, which is called with the parts.
    """
    try:
        if (path := page(*parts)) is not None:
            ti.xcom_push(key=XCOM_KEY, value=f"{portal.address}{path}")
    except Exception as error:
        log.warning("The link to Bitrix24 cannot be kept: %s", type(error).__name__)
