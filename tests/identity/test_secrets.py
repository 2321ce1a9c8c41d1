"""What is given into a person's hands, and what is kept of it: opaque secrets and passwords."""

import hashlib
import threading

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerifyMismatchError

from glassfolio.errors import BadPassword
from glassfolio.identity.opaque import LENGTH, digest, new_secret
from glassfolio.identity.password import NOBODYS, hash_password, is_password

PASSWORD = "correct horse battery"


def test_a_secret_has_256_bits_and_none_comes_twice() -> None:
    made = {new_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(secret) for secret in made} == {LENGTH} == {43}
    assert all(secret.replace("-", "").replace("_", "").isalnum() and secret.isascii() for secret in made)


@pytest.mark.parametrize("secret", ["", "x", "é", "\udcff"])
def test_what_is_kept_of_a_secret_is_its_sha256(secret: str) -> None:
    assert digest(secret) == hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def test_a_password_is_kept_as_argon2id_over_64_mib_in_three_passes() -> None:
    kept = hash_password(PASSWORD)
    parameters = extract_parameters(kept)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost) == (Type.ID, 65_536, 3)
    assert kept != hash_password(PASSWORD)


def test_only_the_same_password_is_it() -> None:
    kept = hash_password(PASSWORD)
    assert is_password(PASSWORD, kept)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "x" * 256, "x" * 257):
        assert not is_password(wrong, kept)


@pytest.mark.parametrize("kept", [None, "", "nonsense", "$argon2id$v=19$m=8,t=1,p=1$AAAA"])
def test_where_nothing_can_be_compared_no_password_is_right(kept: str | None) -> None:
    assert not is_password(PASSWORD, kept)


def test_an_account_without_a_password_costs_the_same_work() -> None:
    """The stand-in is compared with in earnest, with the parameters in use."""
    assert extract_parameters(NOBODYS) == extract_parameters(hash_password(PASSWORD))
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(NOBODYS, PASSWORD)


@pytest.mark.parametrize(("length", "fine"), [(11, False), (12, True), (256, True), (257, False)])
def test_a_password_has_12_to_256_characters(length: int, fine: bool) -> None:
    password = "x" * length
    if fine:
        assert is_password(password, hash_password(password))
    else:
        with pytest.raises(BadPassword):
            hash_password(password)


def test_many_at_once_wait_for_their_turn_and_all_get_it() -> None:
    kept, found = hash_password(PASSWORD), []
    threads = [threading.Thread(target=lambda: found.append(is_password(PASSWORD, kept))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 6
