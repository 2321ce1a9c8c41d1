"""B1: the service is killed while somebody looks; the page says so, comes back, and shows no step back."""

import re
from pathlib import Path

from playwright.sync_api import Browser

from glassfolio.clock import SystemClock
from glassfolio.sessions import Sessions
from tests.browser.screen import PATIENCE_MS, percents
from tests.crash.prices import Market
from tests.crash.scene import bought, holdings, symbols
from tests.crash.service import Service
from tests.databases import make_sqlite


def test_two_kills_while_the_page_is_open(chromium: Browser, calendar: Sessions, tmp_path: Path) -> None:
    """B1, S6, S13: after a short absence it comes back by itself, after a long one when asked to."""
    with (
        Market(calendar, 1.5) as prices,
        Service(tmp_path, make_sqlite(tmp_path), prices.url, lease=2.0) as service,
    ):
        context = chromium.new_context(base_url=service.url)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        portfolio_id = service.open(holdings(symbols(24, "W"), bought(calendar, SystemClock().now().date())))
        page.goto(f"{service.sign_in_link()}?to=/portfolios/{portfolio_id}/onboarding")
        page.get_by_text("live", exact=True).wait_for()
        shown = percents(page)
        page.get_by_text(re.compile("Fetched prices for 5 of")).wait_for()
        service.kill()
        page.get_by_text("catching up…").wait_for()
        service.start()
        page.get_by_text("live", exact=True).wait_for()
        service.kill()
        page.get_by_text("The service cannot be reached").wait_for()
        before = shown()[-1]
        assert before > 0
        service.start()
        page.get_by_role("button", name="Try again").click()
        page.get_by_text("live", exact=True).wait_for()
        assert page.get_by_text("The service cannot be reached").count() == 0
        page.get_by_text("Open the portfolio").wait_for()
        assert shown() == sorted(shown())
        assert shown()[-1] == 100
        lines = [line.split("\n", 1)[1] for line in page.locator(".entries li").all_inner_texts()]
        fetched = [line for line in lines if line.startswith("Fetched prices")]
        assert len(fetched) == len(set(fetched))
        assert sum("Continuing at" in line for line in lines) == 2
        context.close()
