"""Files and folders of certificate authorities."""

from __future__ import annotations

import os
import ssl


def can_be_read(path: str) -> bool:
    """Whether ``path`` is a folder (whose content OpenSSL reads later), or a file that holds a certificate (PEM)."""
    if os.path.isdir(path):
        return True
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError):
        return False
    return True
