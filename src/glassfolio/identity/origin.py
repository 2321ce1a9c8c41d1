"""Addresses as far as trust depends on them: what an origin is, and what stays on this machine.

Knows nothing of requests.
"""

import ipaddress
import re
from urllib.parse import urlsplit

ORIGIN = re.compile(r"https?://(?:[a-z0-9.\-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an address, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_origin(text: str) -> bool:
    """Whether a text is scheme, host and port as browsers write them, and nothing more."""
    return ORIGIN.fullmatch(text) is not None


def is_confidential(url: str) -> bool:
    """Whether what goes to an address cannot be read on the way: https, or http on loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
