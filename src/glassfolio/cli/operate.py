"""The operator's commands: doctor, migrate, token."""

import re
from typing import TYPE_CHECKING

from glassfolio.clock import SystemClock
from glassfolio.errors import SettingsError
from glassfolio.identity import issuer
from glassfolio.identity.claims import NAME
from glassfolio.settings import Settings

if TYPE_CHECKING:
    from glassfolio.wiring import Parts

UNITS = {"s": 1, "m": 60, "h": 3600}
LONGEST_SECONDS = 3600


def doctor(settings: Settings) -> int:
    """Print one line per finding; returns 0 when all is in order."""
    from glassfolio.operations import examine
    from glassfolio.wiring import open_database

    database = open_database(settings, SystemClock())
    fine = True
    for finding in examine(database, settings.data_dir, settings.lease):
        fine = fine and finding.fine
        mark = "ok  " if finding.fine else "FAIL"
        print(f"{mark} {finding.subject}: {finding.detail}" + ("" if finding.fine else f"  {finding.advice}"))
    database.close()
    print("Everything is in order." if fine else "Something needs your attention.")
    return 0 if fine else 1


def migrate(settings: Settings) -> None:
    """Bring the database up to date."""
    from glassfolio.operations import migrate_all
    from glassfolio.wiring import open_database

    database = open_database(settings, SystemClock())
    migrate_all(database)
    database.close()
    print("The database is up to date.")


def token(settings: Settings, subject: str, ttl: str) -> str:
    """A bearer token. Raises SettingsError for a lifetime that cannot be."""
    match = re.fullmatch(r"([0-9]{1,5})([smh]?)", ttl)
    seconds = int(match[1]) * UNITS[match[2] or "s"] if match else 0
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise SettingsError(f"--ttl is 1s to 1h, such as 60s or 10m; got {ttl}.")
    _require_local(settings)
    _require_subject(subject)
    signer = issuer.load(settings.data_dir, issuer.SCRIPTS)
    return signer.token(subject, SystemClock().now(), seconds)


def link(settings: Settings, subject: str) -> str:
    """A one-time sign-in link, for the service on the same database."""
    from glassfolio.wiring import assemble

    _require_local(settings)
    _require_subject(subject)
    parts = assemble(settings)
    try:
        return sign_in_link(parts, subject)
    finally:
        parts.close()


def sign_in_link(parts: "Parts", subject: str, to: str = "") -> str:
    """The address that signs a browser in as `subject`, once. to: the page it leads to."""
    link = f"{parts.settings.address}/sign-in/{parts.signing_in.make_link(subject)}"
    return f"{link}?to={to}" if to else link


def _require_local(settings: Settings) -> None:
    if settings.auth != "local":
        raise SettingsError("With GLASSFOLIO_AUTH=jwt only the outside issuer can sign somebody in.")


def _require_subject(subject: str) -> None:
    if not NAME.fullmatch(subject):
        raise SettingsError("--subject is 1 to 255 printable ASCII characters without spaces.")
