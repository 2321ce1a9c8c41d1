"""The installation's own key, and one verifier for its tokens."""

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from glassfolio.errors import NotSignedIn
from glassfolio.identity import issuer
from glassfolio.identity.verifier import Verifier

NOW = datetime(2022, 12, 29, 12, 0, tzinfo=UTC)
PARTY = "http://127.0.0.1:8000"


def verifier(signer: issuer.Issuer, party: str = PARTY) -> Verifier:
    return Verifier(issuer.ISSUER, frozenset({party}), {signer.key_id: signer.key})


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
    identity = verifier(signer).verify(token, NOW)
    assert identity.subject == "alice"
    assert identity.expires == int(NOW.timestamp()) + 60
    with pytest.raises(NotSignedIn):
        verifier(signer).verify(token, NOW + timedelta(seconds=66))


def test_a_token_for_another_address_is_refused(tmp_path: Path) -> None:
    signer = issuer.load(tmp_path, "http://elsewhere:1")
    with pytest.raises(NotSignedIn):
        verifier(signer).verify(signer.token("alice", NOW), NOW)


def test_a_token_of_another_installation_is_refused(tmp_path: Path) -> None:
    here, there = issuer.load(tmp_path / "here", PARTY), issuer.load(tmp_path / "there", PARTY)
    with pytest.raises(NotSignedIn):
        verifier(here).verify(there.token("alice", NOW), NOW)


@pytest.mark.parametrize("moved", [-6, 66])
def test_the_leeway_is_five_seconds_on_both_ends(tmp_path: Path, moved: int) -> None:
    signer = issuer.load(tmp_path, PARTY)
    token = signer.token("alice", NOW)
    inside = 1 if moved < 0 else -1
    assert verifier(signer).verify(token, NOW + timedelta(seconds=moved + inside)).subject == "alice"
    with pytest.raises(NotSignedIn):
        verifier(signer).verify(token, NOW + timedelta(seconds=moved))


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    """The faster one's key stays; nobody signs with a key that is then gone."""
    code = (
        f"from pathlib import Path; from glassfolio.identity import issuer; "
        f"print(issuer.load(Path({str(tmp_path)!r}), '').key_id)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    ids = {process.communicate(timeout=60)[0] for process in started}
    assert ids == {f"{issuer.load(tmp_path, PARTY).key_id}\n".encode()}
