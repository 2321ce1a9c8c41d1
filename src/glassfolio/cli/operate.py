"""The operator's commands: doctor, migrate, token."""

import re

from glassfolio.clock import SystemClock
from glassfolio.errors import SettingsError
from glassfolio.identity import issuer
from glassfolio.settings import Settings

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
    signer = issuer.load(settings.data_dir, issuer.SCRIPTS)
    return signer.token(subject, SystemClock().now(), seconds)
