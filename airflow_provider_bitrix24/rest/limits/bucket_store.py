"""Which store keeps the request bucket of a portal: Redis where the extra ``limiter`` names one, else this host."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from airflow_provider_bitrix24.rest.limits.bucket import BucketStore
from airflow_provider_bitrix24.rest.limits.file_bucket import FileBucket
from airflow_provider_bitrix24.rest.limits.redis_bucket import RedisBucket


def bucket_store(portal_key: str, limiter: str | None = None) -> BucketStore:
    """
    Return the bucket of a portal; within one process, the same object for the same arguments.

    :param portal_key: what shares a bucket: the portal's host, and the proxy if requests leave through one. No secret.
    :param limiter: None or empty to share it on this host; a ``redis://`` or ``rediss://`` address to share it among
        hosts (the address may hold a password, which is never shown).
    :raises ConfigurationError: ``limiter`` is not such an address, or the package ``redis`` is not installed.
    """
    return _bucket_store(portal_key.strip().lower(), (limiter or "").strip())


@lru_cache(maxsize=128)
def _bucket_store(portal_key: str, limiter: str) -> BucketStore:
    name = hashlib.sha256(portal_key.encode()).hexdigest()[:32]
    on_this_host = FileBucket(name)
    if not limiter:
        return on_this_host
    return RedisBucket(limiter, f"airflow-provider-bitrix24:bucket:{name}", fallback=on_this_host)
