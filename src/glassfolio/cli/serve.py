"""Processes that stay: serve, worker, demo."""

import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import uvicorn

from glassfolio import bundled
from glassfolio.cli import logs
from glassfolio.cli.main import COMPLETED, FAILED, LOCAL_SUBJECT
from glassfolio.cli.onboard import caller_of
from glassfolio.cli.operate import sign_in_link
from glassfolio.cli.render import show
from glassfolio.cli.watching import Local
from glassfolio.clock import from_iso
from glassfolio.errors import SettingsError
from glassfolio.identity.origin import is_loopback
from glassfolio.model.messages import duration
from glassfolio.onboarding import Upload
from glassfolio.settings import Settings, load
from glassfolio.wiring import Parts, Worker, assemble, observer

if TYPE_CHECKING:
    from fastapi import FastAPI

AppMaker = Callable[[Parts, bool], "FastAPI"]

GRACE_SECONDS = 10
# A status request changes threads a few times; behind busy workers each change would wait 5 ms.
SWITCH_SECONDS = 0.0005
DEMO_FOLDER = ".glassfolio-demo"
PORTS_TRIED = 50


class Server(uvicorn.Server):
    """Tells when it is ready, by the address it really got."""

    def __init__(self, config: uvicorn.Config, app: "FastAPI", ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._ready = app, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ask open streams to end before waiting for them."""
        self._app.state.hub.close()
        await super().shutdown(sockets)


def serve(settings: Settings, make_app: AppMaker, *, with_worker: bool) -> None:
    """Serve until stopped."""
    logs.configure(settings.log_format)
    sys.setswitchinterval(SWITCH_SECONDS)
    _require_safe_address(settings)
    listening = _listen(settings.host, settings.port)
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    parts = assemble(settings)

    def ready() -> None:
        print(f"glassfolio is listening on http://{settings.host}:{settings.port}", flush=True)
        _show_way_in(parts)

    try:
        make_server(make_app(parts, with_worker), ready).run(sockets=[listening])
    finally:
        parts.close()


def _show_way_in(parts: Parts) -> None:
    if parts.settings.auth == "local":
        print(f"Sign in, once and within ten minutes: {sign_in_link(parts, LOCAL_SUBJECT)}", flush=True)


def _require_safe_address(settings: Settings) -> None:
    """Raises SettingsError where tokens and sign-ins could be read on the way."""
    if not is_loopback(settings.host) and not settings.address.startswith("https://"):
        raise SettingsError(
            f"Listening on {settings.host} lets others in: put a proxy with TLS before it and set"
            " GLASSFOLIO_PUBLIC_URL=https://…, or listen on 127.0.0.1."
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio switches Nagle's algorithm off for named TCP only.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    return listening


def make_server(app: "FastAPI", ready: Callable[[], None]) -> Server:
    """The server of an application; `ready` is called when it listens."""
    config = uvicorn.Config(
        app,
        http="h11",
        log_config=None,
        access_log=False,
        # Whom to believe about a caller's address is TRUSTED_PROXIES' business.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, app, ready)


def work(settings: Settings) -> None:
    """Carry runs until stopped."""
    logs.configure(settings.log_format)
    parts = assemble(settings)
    worker, watching = Worker(parts), observer(parts)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    worker.start()
    watching.start()
    print(f"glassfolio worker {worker.engine.executor_id} is at work", flush=True)
    stopping.wait()
    watching.stop()
    worker.stop()
    parts.close()


def demo(make_app: AppMaker, port: int, *, leave: bool) -> int:
    """Onboard the sample portfolio in a running service, show how far it is, and keep serving."""
    logs.configure(None)
    given = load(provider="bundled")
    settings = load(
        data_dir=given.data_dir if "data_dir" in given.model_fields_set else Path(DEMO_FOLDER),
        provider="bundled",
        database_url="",
        port=_free_port(port),
    )
    _require_safe_address(settings)
    parts = assemble(settings)
    ready = threading.Event()
    server = make_server(make_app(parts, True), ready.set)
    listening = _listen(settings.host, settings.port)
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    with ExitStack() as leaving:
        leaving.callback(parts.close)
        serving.start()
        _wait(ready, serving)
        ended = _show_sample(parts)
        if not leave:
            _until_stopped(settings)
        server.should_exit = True
        serving.join(GRACE_SECONDS + 5)
    return ended


def _free_port(first: int) -> int:
    for port in range(first, first + PORTS_TRIED):
        try:
            _listen("127.0.0.1", port).close()
        except SettingsError:
            continue
        return port
    raise SettingsError(f"No free port from {first} to {first + PORTS_TRIED - 1}.")


def _wait(ready: threading.Event, serving: threading.Thread) -> None:
    while not ready.wait(0.05):
        if not serving.is_alive():
            raise SettingsError("The service did not start; `glassfolio doctor` says why.")


def _show_sample(parts: Parts) -> int:
    sample = bundled.SAMPLES["balanced"]
    caller = caller_of(parts, LOCAL_SUBJECT)
    fields = {
        "name": sample.title,
        "account_name": f"Demo {uuid4().hex[:8]}",
        "account_type": "taxable",
        "equity": str(sample.equity),
    }
    opened = parts.onboarding.open(
        caller, Upload(sample.filename, bundled.read_bytes(sample.filename)), fields
    )
    assert opened.portfolio_id is not None
    portfolio_id = opened.portfolio_id
    address = f"{parts.settings.address}/api/v1/onboarding/status/{portfolio_id}"
    print(f"Onboarding {sample.filename}: {opened.positions} lots, real prices up to the end of 2022.")
    print(f"Status: {address}")
    results = f"/portfolios/{portfolio_id}"
    watching = sign_in_link(parts, LOCAL_SUBJECT, f"{results}/onboarding")
    print(f"Watch it in a browser; the link signs you in, once: {watching}\n", flush=True)
    last = show(Local(parts, caller, portfolio_id), as_json=False)
    if last is None or last["status"] != "completed":
        print("failed: see the log above.")
        return FAILED
    newest = parts.results.snapshots(caller.user_id, portfolio_id, None, None)[-1]
    took = from_iso(last["finished_at"]) - from_iso(last["started_at"])
    print(
        f"\ncompleted in {duration(took.total_seconds())}: net asset value {newest['nav']:,.2f} USD"
        f" on {newest['session']}, as stated at import."
    )
    print(
        "Ask yourself, from another terminal:\n"
        f'  curl -s -H "Authorization: Bearer $(GLASSFOLIO_DATA_DIR={parts.settings.data_dir}'
        f' {_command()} token)" {address}'
    )
    looking = sign_in_link(parts, LOCAL_SUBJECT, results)
    print(f"See the results in a browser; the link signs you in, once: {looking}", flush=True)
    return COMPLETED


def _command() -> str:
    return sys.argv[0] if sys.argv[0].endswith("glassfolio") else "glassfolio"


def _until_stopped(settings: Settings) -> None:
    print(f"\nStill serving on {settings.address}; Ctrl-C stops.", flush=True)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    try:
        while not stopping.wait(0.5):
            time.sleep(0)
    except KeyboardInterrupt:
        print("Stopping.")
