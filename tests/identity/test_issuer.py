"""The installation's own key, and one verifier for its tokens."""

import asyncio
import json
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from glassfolio.errors import NotSignedIn, SettingsError
from glassfolio.identity import issuer
from glassfolio.identity.claims import Identity
from glassfolio.identity.keyset import FixedKeys, keys_of
from glassfolio.identity.verifier import Verifier

NOW = datetime(2022, 12, 29, 12, 0, tzinfo=UTC)
PARTY = "http://127.0.0.1:8000"


def verify(signer: issuer.Issuer, token: str, now: datetime, party: str = PARTY) -> Identity:
    """What this installation, serving at `party`, believes of a token."""
    here = issuer.Issuer(signer.key, party)
    verifier = Verifier(here.rules(), FixedKeys({here.key_id: here.key}))
    return asyncio.run(verifier.verify(token, now))


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = issuer.load(tmp_path / "new", PARTY)
    path = tmp_path / "new" / issuer.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert issuer.load(tmp_path / "new", PARTY).key_id == first.key_id
    assert [item.name for item in path.parent.iterdir()] == [issuer.KEY_FILE]


def test_a_key_is_large_enough(tmp_path: Path) -> None:
    key = issuer.load(tmp_path, PARTY).key
    assert isinstance(key, RSAKey)
    assert issuer.KEY_BITS >= 2048


def test_a_token_names_its_subject_for_a_minute(tmp_path: Path) -> None:
    signer = issuer.load(tmp_path, PARTY)
    token = signer.token("alice", NOW)
    identity = verify(signer, token, NOW)
    assert identity.subject == "alice"
    assert identity.expires == int(NOW.timestamp()) + 60
    with pytest.raises(NotSignedIn):
        verify(signer, token, NOW + timedelta(seconds=66))


def test_a_token_for_another_address_is_refused(tmp_path: Path) -> None:
    signer = issuer.load(tmp_path, "http://elsewhere:1")
    with pytest.raises(NotSignedIn):
        verify(signer, signer.token("alice", NOW), NOW)


def test_a_token_of_another_installation_is_refused(tmp_path: Path) -> None:
    here, there = issuer.load(tmp_path / "here", PARTY), issuer.load(tmp_path / "there", PARTY)
    with pytest.raises(NotSignedIn):
        verify(here, there.token("alice", NOW), NOW)


@pytest.mark.parametrize("moved", [-6, 66])
def test_the_leeway_is_five_seconds_on_both_ends(tmp_path: Path, moved: int) -> None:
    signer = issuer.load(tmp_path, PARTY)
    token = signer.token("alice", NOW)
    inside = 1 if moved < 0 else -1
    assert verify(signer, token, NOW + timedelta(seconds=moved + inside)).subject == "alice"
    with pytest.raises(NotSignedIn):
        verify(signer, token, NOW + timedelta(seconds=moved))


def test_a_token_for_scripts_is_good_at_any_address_and_names_its_sign_in(tmp_path: Path) -> None:
    token = issuer.load(tmp_path, issuer.SCRIPTS).token("alice", NOW, 60, "phone")
    assert verify(issuer.load(tmp_path, PARTY), token, NOW).sign_in == "phone"


def test_two_tokens_without_a_sign_in_have_one_each(tmp_path: Path) -> None:
    signer = issuer.load(tmp_path, PARTY)
    first, second = (verify(signer, signer.token("alice", NOW), NOW).sign_in for _ in range(2))
    assert len({first, second, ""}) == 3


def test_the_published_key_set_checks_our_tokens_and_holds_nothing_private(tmp_path: Path) -> None:
    signer = issuer.load(tmp_path, PARTY)
    (shown,) = signer.public_keys()["keys"]
    assert sorted(shown) == ["alg", "e", "kid", "kty", "n", "use"]
    keys = keys_of(json.dumps(signer.public_keys()).encode())
    verifier = Verifier(signer.rules(), FixedKeys(keys))
    assert asyncio.run(verifier.verify(signer.token("alice", NOW), NOW)).subject == "alice"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_key_that_others_can_reach_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    issuer.load(tmp_path, PARTY)
    (tmp_path / issuer.KEY_FILE).chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        issuer.load(tmp_path, PARTY)


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / issuer.KEY_FILE
    path.write_text(text, "ascii")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="no private key"):
        issuer.load(tmp_path, PARTY)


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    """The faster one's key stays; nobody signs with a key that is then gone."""
    code = (
        f"from pathlib import Path; from glassfolio.identity import issuer; "
        f"print(issuer.load(Path({str(tmp_path)!r}), '').key_id)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    ids = {process.communicate(timeout=60)[0] for process in started}
    assert ids == {f"{issuer.load(tmp_path, PARTY).key_id}\n".encode()}
