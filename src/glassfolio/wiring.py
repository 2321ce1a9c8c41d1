"""The only chooser of implementations: from settings to the parts a process is made of.

Knows nothing of HTTP or terminals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glassfolio.analytics.factors import FACTOR_SETS
from glassfolio.batch.observing import observe
from glassfolio.batch.pipeline import Pipeline
from glassfolio.batch.start import NIGHTLY, RUNS, Starter, statements
from glassfolio.batch.task import Setup, Workplace
from glassfolio.batches import Batches
from glassfolio.clock import Clock, SystemClock
from glassfolio.db.engine import SQLITE, Database, connect
from glassfolio.engine.app import VERSION, Dispatcher, Engine, Queue, new_executor_id
from glassfolio.engine.liveness import Liveness, Watch
from glassfolio.engine.reconcile import Reconciler
from glassfolio.errors import SettingsError
from glassfolio.identity import issuer
from glassfolio.identity.claims import outside_rules
from glassfolio.identity.issuer import Issuer
from glassfolio.identity.keyset import FixedKeys, Keys, KeySet, OneKey
from glassfolio.identity.verifier import Verifier
from glassfolio.nightly import Nightly
from glassfolio.onboarding import Onboarding
from glassfolio.operations import NETWORK_FILE_SYSTEMS, file_system, require_migrated
from glassfolio.overseeing import Overseeing
from glassfolio.providers import PROVIDERS
from glassfolio.providers.base import PriceProvider, ProviderSettings
from glassfolio.providers.timing import Timing
from glassfolio.providers.waits import Waits
from glassfolio.reading import Reading
from glassfolio.results import Results
from glassfolio.sessions import Sessions
from glassfolio.sessions import load as load_sessions
from glassfolio.settings import Settings
from glassfolio.signing_in import SigningIn
from glassfolio.store import recent
from glassfolio.store.market import Allowance

QUEUES: tuple[Queue, ...] = (RUNS, NIGHTLY)
STOP_SECONDS = 10


@dataclass(frozen=True)
class Parts:
    """What every process has, whether or not it works. issuer: None where tokens come from outside."""

    settings: Settings
    clock: Clock
    database: Database
    sessions: Sessions
    setup: Setup
    dispatcher: Dispatcher
    onboarding: Onboarding
    batches: Batches
    overseeing: Overseeing
    reading: Reading
    results: Results
    issuer: Issuer | None
    verifier: Verifier
    signing_in: SigningIn

    def close(self) -> None:
        """Give everything back."""
        self.dispatcher.close()
        self.database.close()


class SharedThrottle:
    """The provider's allowance as its client sees it: one row that all workers share."""

    def __init__(self, database: Database, allowance: Allowance) -> None:
        self._database, self._allowance = database, allowance

    def take(self) -> float:
        """Take one request; returns the seconds to wait before asking again, 0 when granted."""
        with self._database.transaction() as connection:
            return self._allowance.take(connection)

    def pause(self, seconds: float) -> None:
        """Grant nothing to anybody for `seconds`."""
        with self._database.transaction() as connection:
            self._allowance.pause(connection, seconds)


class Unlimited:
    """The allowance of a local source."""

    def take(self) -> float:
        """Always granted."""
        return 0.0

    def pause(self, seconds: float) -> None:
        """A local source asks nobody to wait."""


def assemble(settings: Settings, clock: Clock | None = None) -> Parts:
    """The parts of a process, on a migrated database. Raises SettingsError, MigrationNeeded, StorageError."""
    clock = clock or SystemClock()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(settings, clock)
    require_migrated(database)
    sessions = load_sessions(settings.data_dir, settings.extra_closures)
    waits = Waits(clock)
    provider = make_provider(settings, database, sessions, waits)
    setup = Setup(
        database,
        clock,
        sessions,
        provider,
        FACTOR_SETS[settings.factors],
        settings.min_valued,
        waits,
        settings.risk_free_rate,
    )
    dispatcher = Dispatcher(database)
    starter = Starter(dispatcher, clock, sessions, provider, settings.history, settings.delay)
    reading = Reading(setup, clock, settings.lease)
    quotas = recent.uploads(*settings.uploads) if settings.uploads else ()
    signer = issuer.load(settings.data_dir, settings.address) if settings.auth == "local" else None
    return Parts(
        settings,
        clock,
        database,
        sessions,
        setup,
        dispatcher,
        Onboarding(database, clock, sessions, starter, reading, quotas),
        Batches(setup, clock, starter),
        Overseeing(setup, clock, reading),
        reading,
        Results(setup),
        signer,
        make_verifier(settings, clock, signer),
        SigningIn(database, clock),
    )


def make_verifier(settings: Settings, clock: Clock, signer: Issuer | None) -> Verifier:
    """The verifier of our own tokens, or of an outside issuer's. Raises SettingsError."""
    if signer is not None:
        return Verifier(signer.rules(), FixedKeys({signer.key_id: signer.key}))
    keys: Keys
    if settings.jwt_public_key is not None:
        keys = OneKey(settings.jwt_public_key)
    else:
        keys = KeySet(settings.jwks_url or "", clock)
    rules = outside_rules(
        settings.jwt_issuer or "",
        frozenset(settings.jwt_parties),
        allow_missing_party=settings.jwt_allow_missing_azp,
        audience=settings.jwt_audience,
    )
    return Verifier(rules, keys)


def open_database(settings: Settings, clock: Clock) -> Database:
    """The database of the settings, as it stands. Raises SettingsError on a network file system."""
    database = connect(settings.url, lambda: clock.now().timestamp())
    path = database.engine.url.database
    if database.dialect is SQLITE and path:
        kind = file_system(Path(path).absolute())
        if kind in NETWORK_FILE_SYSTEMS:
            raise SettingsError(
                f"SQLite loses data on a network file system ({kind}): use a local disk, or PostgreSQL."
            )
    return database


def make_provider(settings: Settings, database: Database, sessions: Sessions, waits: Waits) -> PriceProvider:
    """The price source of the settings, its rate shared over all workers, its pauses told to `waits`."""
    provider_settings = ProviderSettings(
        sessions=sessions.dates,
        url=settings.provider_url,
        key=settings.provider_key.get_secret_value(),
        prices_dir=settings.prices_dir,
        rate=settings.provider_rate,
        timing=Timing(sleep=waits.sleep),
    )
    make = PROVIDERS[settings.provider]
    unlimited = make(provider_settings, Unlimited())
    terms = unlimited.terms
    if terms.requests_per_second is None:
        return unlimited
    allowance = Allowance(settings.provider, terms.requests_per_second, terms.burst, database.dialect.epoch)
    return make(provider_settings, SharedThrottle(database, allowance))


class Worker:
    """The part of a process that carries runs: engine, heartbeat, reaper, reconcile, nightly."""

    def __init__(
        self,
        parts: Parts,
        make_pipeline: Callable[[Engine, Parts], Pipeline] | None = None,
    ) -> None:
        self._parts = parts
        self.engine = Engine(parts.database, new_executor_id())
        make = make_pipeline or standard_pipeline
        self._pipeline = make(self.engine, parts)
        lease = parts.settings.lease
        self._liveness = Liveness(
            parts.database,
            self.engine.executor_id,
            lease,
            self.engine.take_over,
            parts.clock.now(),
            VERSION,
        )
        reconciler = Reconciler(
            parts.database,
            parts.dispatcher,
            statements(parts.clock),
            self.engine.executor_id,
            self.engine.is_under_way,
        )
        often = min(max(lease, 1.0), 15.0)
        self._watches = [Watch("reconcile", often, reconciler.reconcile)]
        if parts.settings.night is not None:
            nightly = Nightly(parts.batches, parts.clock, *parts.settings.night)
            self._watches.append(Watch("nightly", often, nightly.look))

    def start(self) -> None:
        """Begin to take runs."""
        self.engine.launch(QUEUES)
        self._liveness.start()
        for watch in self._watches:
            watch.start()

    def stop(self, seconds: int = STOP_SECONDS) -> None:
        """Take no more runs, let those under way reach a chunk boundary, and leave."""
        for watch in self._watches:
            watch.stop()
        self.engine.stop(seconds)
        self._pipeline.close()
        self._liveness.stop()


def standard_pipeline(engine: Engine, parts: Parts) -> Pipeline:
    """The pipeline as it runs outside of tests."""
    return Pipeline(engine, parts.database, parts.clock, Workplace(parts.setup))


def observer(parts: Parts) -> Watch:
    """The watch, in every process, that tells of runs whose worker is gone or does not get on."""

    def look() -> None:
        with parts.database.transaction() as connection:
            observe(connection, parts.clock, parts.settings.lease, parts.database.dialect.epoch)

    return Watch("observer", max(parts.settings.lease / 4, 0.25), look)
