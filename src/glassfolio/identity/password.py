"""Passwords: argon2id hashes, made and checked. Knows nothing of accounts or of how many tries are left."""

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from glassfolio.errors import BadPassword

SHORTEST, LONGEST = 12, 256
# A hash takes 64 MiB; so many are made at once in a process and no more.
AT_ONCE = 2
_HASHER = PasswordHasher()
_turns = threading.BoundedSemaphore(AT_ONCE)


def hash_password(password: str) -> str:
    """What is kept of a new password. Raises BadPassword for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadPassword
    with _turns:
        return _HASHER.hash(_normal(password))


def is_password(password: str, hashed: str | None) -> bool:
    """Whether a password is the one that was hashed; takes as long when there is none to compare with."""
    if len(password) > LONGEST:
        return False
    try:
        with _turns:
            return _HASHER.verify(hashed or NOBODYS, _normal(password)) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> bytes:
    """The same bytes whichever keyboard composed the characters."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


# Nobody's hash, with the parameters in use: 16 bytes of salt and 32 of hash, all zero.
NOBODYS = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    f"${'A' * 22}${'A' * 43}"
)
