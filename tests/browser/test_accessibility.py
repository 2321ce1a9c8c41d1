"""S20: every screen is usable by keyboard and by a screen reader, in light and in dark."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.screen import Person
from tests.contracts.running import Running, stored
from tests.fakes.tiingo import FakeTiingo


@pytest.fixture(params=["light", "dark"])
def reader(request: pytest.FixtureRequest, chromium: Browser, service: Running) -> Iterator[Person]:
    with Person(chromium, service, "reader", color_scheme=request.param, bypass_csp=True) as person:
        yield person


def assert_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    size = page.viewport_size
    page.set_viewport_size({"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert size is not None
    page.set_viewport_size(size)


def test_no_screen_has_a_violation(reader: Person, service: Running, provider: FakeTiingo) -> None:
    """By axe-core's rules, with its own script let in for the test; and each fits a phone."""
    page = reader.page
    page.goto("/")
    assert_accessible(page)
    never = stored(service.client("reader"))
    page.goto(f"/portfolios/{never}/onboarding")
    reader.sees("Not started yet")
    assert_accessible(page)
    reader.fill(b"Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,0,1,2021-03-15\n")
    page.get_by_role("button", name="Start the onboarding").click()
    reader.sees("A quantity of zero")
    assert_accessible(page)
    provider.delay = 2.0
    provider.set_faults({"*": "reset"})
    reader.hand_in()
    reader.sees("live")
    assert_accessible(page)
    reader.sees("Market Data Collection stopped")
    assert_accessible(page)
    provider.delay = 0.0
    provider.set_faults({"*": None})
    page.get_by_role("button", name="Retry").click()
    reader.sees("Open the portfolio")
    assert_accessible(page)
    page.get_by_role("link", name="Open the portfolio").click()
    reader.sees("Factor exposures")
    assert_accessible(page)


def test_the_bars_and_the_regions_say_what_they_are(alice: Person, provider: FakeTiingo) -> None:
    provider.delay = 1.5
    alice.hand_in()
    alice.sees("live")
    bar = alice.page.get_by_role("progressbar", name="Overall progress")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"^\d+ percent, "))
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^\d+$"))
    expect(alice.page.get_by_role("log")).to_have_attribute("aria-live", "off")
    alice.sees("Open the portfolio")
    said = alice.page.get_by_role("status").first
    expect(said).to_have_text("Completed, with gaps")


def test_a_run_can_be_stopped_and_retried_by_keyboard_alone(alice: Person, provider: FakeTiingo) -> None:
    provider.delay = 2.0
    alice.hand_in()
    alice.sees("live")
    page = alice.page
    tab_to(page, "Cancel")
    page.keyboard.press("Enter")
    alice.sees("Finished work is kept.")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.locator(".sentence", has_text="Cancelled").wait_for()
    provider.delay = 0.0
    tab_to(page, "Retry")
    page.keyboard.press("Enter")
    alice.sees("Open the portfolio")
    tab_to(page, "Open the portfolio")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/portfolios/[0-9a-f-]+$"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what is focused has this text."""
    focused = """() => {
      const outer = document.activeElement;
      return (outer.shadowRoot?.activeElement ?? outer).textContent.trim();
    }"""
    for _ in range(30):
        if page.evaluate(focused) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by Tab")
