"""Opaque secrets: 256 random bits for a person's hands, and the hash that is kept of them.

Whoever reads the database finds nothing that opens a door.
"""

import hashlib
import secrets

BYTES = 32
LENGTH = 43  # of 32 bytes in base64url without padding


def new_secret() -> str:
    """A fresh secret, safe inside an address and a cookie."""
    return secrets.token_urlsafe(BYTES)


def digest(secret: str) -> str:
    """What is kept of a secret: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
