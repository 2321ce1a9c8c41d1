"""The pictures of the pages: `make docs` takes them of a real service with a slow and a failing price source.

Without Chromium they stay as they are.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.screen import Person, find_chromium, launched
from tests.contracts.running import AFTER_THE_LAST_SESSION, Running, ShiftedClock, make_settings, running
from tests.databases import make_sqlite
from tests.fakes.tiingo import FakeTiingo

SCREENS = Path(__file__).parent / "screens"
SIZE = {"width": 960, "height": 900}
SHIFTED_DATE = """
  const shift = MOMENT - Date.now();
  globalThis.Date = class extends Date {
    constructor(...given) { super(...(given.length ? given : [Date.now()])); }
    static now() { return super.now() + shift; }
  };
"""
BAD = b"""Symbol,Quantity,Entry Price Per Share,Entry Date
AAPL,100,150.25,2021-03-15
MSFT,ten,232.90,2021-02-30
KO,0,52.10,2021-04-19
"""


@contextmanager
def somebody(chromium: Browser, **how: str) -> Iterator[tuple[Person, FakeTiingo, Running]]:
    """A signed-in person before a service of their own, which has no prices yet."""
    with FakeTiingo() as provider, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = make_settings(
            folder,
            make_sqlite(folder),
            provider="tiingo",
            provider_url=provider.url,
            provider_key="any",
            provider_rate=1000.0,
            factor_set="demo",
            history_sessions=254,
        )
        with (
            running(settings, clock=ShiftedClock(AFTER_THE_LAST_SESSION)) as service,
            Person(chromium, service, "you", viewport=SIZE, **how) as person,
        ):
            # The prices end in 2022: the clock of the service stands there, and so does the browser's.
            moment = int(AFTER_THE_LAST_SESSION.timestamp() * 1000)
            person.page.add_init_script(SHIFTED_DATE.replace("MOMENT", str(moment)))
            yield person, provider, service


def take(chromium: Browser) -> None:
    """Take every picture."""
    for scheme in ("light", "dark"):
        with somebody(chromium, color_scheme=scheme) as (person, provider, _service):
            provider.delay = 2.0
            person.hand_in(name="My portfolio")
            person.sees("Fetched prices for 5 of")
            save(person, f"running-{scheme}")
            person.sees("Open the portfolio")
            if scheme == "light":
                save(person, "completed")
                person.page.get_by_role("link", name="Open the portfolio").click()
                person.sees("Factor exposures")
                save(person, "portfolio", whole=False)
    with somebody(chromium) as (person, provider, _service):
        person.fill(BAD, name="My portfolio")
        person.page.get_by_role("button", name="Start the onboarding").click()
        person.sees("problems; nothing was stored")
        save(person, "upload")
        provider.set_faults({"AAPL": "good", "*": "reset"})
        person.hand_in(name="My portfolio")
        person.sees("Market Data Collection stopped")
        save(person, "failed")
        person.page.route("**/api/**", lambda route: route.abort())
        person.page.reload()
        person.sees("The service cannot be reached")
        save(person, "unavailable")


def save(person: Person, name: str, *, whole: bool = True) -> None:
    """Take a picture of what the person sees."""
    SCREENS.mkdir(exist_ok=True)
    person.page.mouse.move(0, 0)
    person.page.screenshot(path=SCREENS / f"{name}.png", full_page=whole, animations="disabled")


def main() -> None:
    """Take the pictures, or say why not."""
    if find_chromium() is None:
        sys.stdout.write("Chromium is not installed: the pictures of the pages stay as they are.\n")
        return
    with launched() as chromium:
        take(chromium)


if __name__ == "__main__":
    main()
