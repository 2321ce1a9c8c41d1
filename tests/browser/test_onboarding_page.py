"""S20, B3: the page of an onboarding tells the truth while it happens, and after."""

import re

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.screen import SAMPLE, Person, percents
from tests.contracts.running import Running, opened, stored
from tests.fakes.tiingo import FakeTiingo

HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date\n"


def progress(page: Page) -> str:
    """All that the live element shows."""
    return page.locator("onboarding-progress .whole").inner_text()


class TestTheWholeWay:
    def test_from_the_upload_over_the_live_page_to_the_results(
        self, alice: Person, provider: FakeTiingo
    ) -> None:
        """S20, B3: phases, counts, log, tab title; the end leads to the results."""
        provider.delay = 1.0
        alice.hand_in(name="Whole way")
        page = alice.page
        shown = percents(page)
        alice.sees("live")
        alice.sees("Collecting prices")
        expect(page).to_have_title(re.compile(r"^\d+ % · glassfolio$"))
        names = page.locator("onboarding-progress .phases .name").all_inner_texts()
        assert names == [
            "Market Data Collection",
            "Factor Analysis",
            "Symbol Metrics",
            "Portfolio Snapshots & Analytics",
        ]
        alice.sees("Completed, with gaps")
        expect(page).to_have_title("⚠ Done, with gaps · glassfolio")
        assert shown() == sorted(shown())
        assert shown()[-1] == 100
        assert page.locator(".entries li").first.inner_text().endswith("Queued.")
        assert "Done in" in page.locator(".entries li").last.inner_text()
        gap = page.get_by_role("row", name="ZZZQ")
        assert "1.3 %" in gap.inner_text()
        assert "Check the symbol in your file." in gap.inner_text()
        page.get_by_role("link", name="Open the portfolio").click()
        alice.sees("100,000.00 USD")
        assert page.get_by_role("img", name=re.compile("Net asset value from 202")).is_visible()
        assert "ZZZQ: the price source does not know it." in page.locator("#missing + .notice").inner_text()
        assert page.get_by_role("row", name=re.compile("^AAPL public 100")).is_visible()

    def test_refreshing_keeps_everything(self, alice: Person) -> None:
        alice.hand_in(name="Refresh")
        alice.sees("Completed, with gaps")
        before = alice.page.locator(".entries li").all_inner_texts()
        alice.page.reload()
        alice.sees("Completed, with gaps")
        assert alice.page.locator(".entries li").all_inner_texts() == before

    def test_a_portfolio_that_was_never_onboarded_can_be_started(
        self, alice: Person, service: Running
    ) -> None:
        """S4: a screen of its own."""
        portfolio_id = stored(service.client("alice"), name="Not begun")
        alice.page.goto(f"/portfolios/{portfolio_id}/onboarding")
        alice.sees("Not started yet")
        expect(alice.page).to_have_title("Not started · glassfolio")
        alice.page.get_by_role("button", name="Start").click()
        alice.sees("Completed")
        expect(alice.page).to_have_title("✓ Done · glassfolio")


class TestFailure:
    def test_a_provider_that_dies_midway_then_a_retry(self, alice: Person, provider: FakeTiingo) -> None:
        """S14, S20: the reason, the next step, a retry of the same portfolio without a second upload."""
        provider.set_faults({"AAPL": "good", "JPM": "good", "*": "reset"})
        portfolio_id = alice.hand_in(name="Dies")
        page = alice.page
        alice.sees("Failed")
        expect(page).to_have_title("✕ Failed · glassfolio")
        card = page.locator(".card.failed").inner_text()
        assert "Market Data Collection stopped" in card
        assert "The price source does not answer." in card
        assert "Try again later; what was fetched is kept." in card
        provider.set_faults({"AAPL": None, "JPM": None, "*": None})
        page.get_by_role("button", name="Retry").click()
        alice.sees("Completed, with gaps")
        assert "attempt 2" in progress(page)
        assert page.url.split("/")[-2] == portfolio_id
        told = page.locator(".entries li").all_inner_texts()
        assert any("Failed:" in line for line in told)
        assert any("Second attempt." in line for line in told)
        page.reload()
        alice.sees("Done in")
        assert page.locator(".entries li").all_inner_texts() == told

    def test_symbols_that_failed_are_listed_and_asked_for_again(
        self, alice: Person, provider: FakeTiingo
    ) -> None:
        rows = "".join(f"{one},10,50,2021-03-15\n" for one in ("AAPL", "JPM", "JNJ", "WMT", "MSFT", "KO"))
        provider.set_faults({"JPM": "server_error", "WMT": "server_error", "KO": "server_error"})
        alice.hand_in((HEADER + rows).encode(), name="Some fail")
        alice.sees("Missing: 3 symbols")
        for symbol in ("JPM", "WMT", "KO"):
            row = alice.page.get_by_role("row", name=symbol).inner_text()
            assert "the price source could not be reached" in row or "refused" in row
        provider.set_faults({"JPM": None, "WMT": None, "KO": None})
        alice.page.get_by_role("button", name="Retry these").click()
        alice.sees("attempt 2")
        alice.page.locator(".sentence", has_text=re.compile("^Completed$")).wait_for()
        assert "Missing" not in progress(alice.page)

    def test_a_named_wait_is_a_clock_time(self, alice: Person, provider: FakeTiingo) -> None:
        provider.set_faults({"MSFT": ["rate_limited_2s", "good"]})
        alice.hand_in(name="Waits")
        alice.sees("The price source allows the next request at ")
        alice.sees("Completed")

    def test_cancelling_asks_once(self, alice: Person, provider: FakeTiingo) -> None:
        provider.delay = 2.0
        alice.hand_in(name="Cancelled")
        page = alice.page
        page.get_by_role("button", name="Cancel").click()
        alice.sees("Finished work is kept.")
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Cancel").click()
        page.route("**/cancel", lambda route: route.abort())
        page.get_by_role("button", name="Stop it").click()
        alice.sees("The service cannot be reached.")
        page.unroute("**/cancel")
        page.get_by_role("button", name="Stop it").click()
        page.locator(".sentence", has_text="Cancelled").wait_for()
        expect(page.locator(".sentence")).to_be_focused()
        expect(page).to_have_title("✕ Cancelled · glassfolio")
        assert page.get_by_role("button", name="Retry").is_visible()


class TestConnection:
    def test_without_a_stream_it_polls(self, alice: Person, provider: FakeTiingo) -> None:
        """S19: the same document, every two seconds."""
        provider.delay = 1.0
        refused: list[str] = []

        def refuse(route: Route) -> None:
            refused.append(route.request.url)
            route.abort()

        alice.page.route("**/events", refuse)
        alice.hand_in(name="Polls")
        alice.sees("asking every few seconds")
        alice.sees("Completed, with gaps")
        assert refused

    def test_two_tabs_share_one_stream(self, alice: Person, provider: FakeTiingo) -> None:
        provider.delay = 1.5
        alice.hand_in(name="Tabs")
        alice.sees("live")
        other = alice.tab()
        other.goto(alice.page.url)
        alice.sees("live", other)
        assert alice.asked("/events") == 1
        alice.page.close()
        alice.sees("Completed, with gaps", other)

    def test_many_tabs_leave_connections_to_the_rest_of_the_site(
        self, alice: Person, service: Running, provider: FakeTiingo
    ) -> None:
        """A browser opens six connections to a host: three streams, and the other tabs poll."""
        provider.delay = 2.0
        client = service.client("alice")
        ids = [opened(client, SAMPLE)["portfolio_id"] for _ in range(7)]
        tabs = [alice.tab() for _ in ids]
        for tab, portfolio_id in zip(tabs, ids, strict=True):
            tab.goto(f"/portfolios/{portfolio_id}/onboarding")
            tab.get_by_text("Collecting prices").or_(tab.get_by_text("Waiting for your")).first.wait_for()
        assert alice.asked("/events") == 3
        alice.page.goto("/")
        assert alice.page.locator(".cards li").count() == 7
        for tab in tabs:
            tab.get_by_text("Completed, with gaps").first.wait_for()

    def test_nothing_passes_between_two_owners_of_one_browser(
        self, alice: Person, service: Running, provider: FakeTiingo
    ) -> None:
        """S3: neither by what tabs share, nor by what is left on the screen."""
        provider.delay = 2.0
        portfolio_id = alice.hand_in(name="Hers")
        alice.sees("live")
        other = alice.tab()
        other.goto(f"/sign-in/{service.parts.signing_in.make_link('bob')}")
        other.goto("/portfolios/new")
        other.evaluate(
            """async ([address, token]) => {
              await import("/static/onboarding-progress.js");
              const element = document.createElement("onboarding-progress");
              element.setAttribute("status", address);
              element.setAttribute("owner", "bob");
              element.token = async () => token;
              document.querySelector("main").append(element);
            }""",
            [f"/api/v1/onboarding/status/{portfolio_id}", service.token("bob")],
        )
        alice.sees("There is nothing here", other)
        assert "Market Data Collection" not in progress(other)
        assert other.locator(".entries li").count() == 0
        assert "There is nothing here" not in progress(alice.page)
        alice.page.reload()
        assert "Hers" not in alice.page.inner_text("main")

    def test_a_sign_in_that_ended_is_asked_for_and_the_page_goes_on(
        self, alice: Person, provider: FakeTiingo
    ) -> None:
        provider.delay = 1.5
        alice.hand_in(name="Signed out")
        page = alice.page
        alice.sees("live")
        page.route("**/session/token", lambda route: route.fulfill(status=401))
        page.route("**/events", lambda route: route.fulfill(status=401))
        page.reload()
        alice.sees("You are signed out")
        page.unroute("**/session/token")
        page.unroute("**/events")
        page.get_by_role("button", name="Try again").click()
        alice.sees("Completed, with gaps")
        assert "You are signed out" not in progress(page)


class TestLog:
    def test_a_thousand_lines_are_all_there_and_scroll_by_themselves_only_at_the_end(
        self, alice: Person, provider: FakeTiingo
    ) -> None:
        """S8, S10: every symbol that failed has a line; who reads above is left there."""
        rows = "".join(f"NONE{n:04},1,0.01,2021-03-15\n" for n in range(1000))
        alice.hand_in((HEADER + "AAPL,100,50,2021-03-15\n" + rows).encode(), name="Long log")
        page = alice.page
        log = page.locator(".log")
        alice.sees("NONE0050")
        log.evaluate("element => { element.scrollTop = 0; }")
        alice.sees("new)")
        assert log.evaluate("element => element.scrollTop") == 0
        page.get_by_role("button", name=re.compile("Jump to latest")).click()
        at_end = "e => e.scrollHeight - e.scrollTop - e.clientHeight < 5"
        assert log.evaluate(at_end)
        alice.sees("Open the portfolio")
        assert log.evaluate(at_end)
        lines = page.locator(".entries li").all_inner_texts()
        assert len(lines) > 1000
        named = [found for line in lines for found in re.findall(r"NONE(\d+):", line)]
        assert sorted(named) == [f"{n:04}" for n in range(1000)]
        page.get_by_label("Show").select_option("error")
        assert page.locator(".entries li:visible").count() == 0
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the log").click()
        assert re.fullmatch(r"glassfolio-setup-log-\w{8}-\w+\.txt", download.value.suggested_filename)
        assert "NONE0999" in download.value.path().read_text()


class TestOwners:
    def test_two_owners_in_two_browsers_see_their_own(
        self, alice: Person, chromium: Browser, service: Running, provider: FakeTiingo
    ) -> None:
        """S3, B2."""
        provider.delay = 0.3
        with Person(chromium, service, "bob") as bob:
            hers = alice.hand_in(name="Hers")
            his = bob.hand_in(name="His", equity="200000")
            alice.sees("Completed, with gaps")
            bob.sees("Completed, with gaps")
            for path in (f"/portfolios/{hers}", f"/portfolios/{hers}/onboarding"):
                bob.page.goto(path)
                bob.sees("There is nothing here for you.")
            alice.page.goto("/")
            assert "His" not in alice.page.inner_text("main")
            alice.page.goto(f"/portfolios/{his}")
            alice.sees("There is nothing here for you.")


def test_markup_in_names_is_text(alice: Person) -> None:
    """B9."""
    text = "<img src=x onerror=alert(1)>"
    portfolio_id = alice.hand_in(name=text)
    alice.sees("Completed")
    assert text in alice.page.inner_text("h1")
    alice.page.goto(f"/portfolios/{portfolio_id}")
    assert text in alice.page.inner_text("h1")
    assert alice.page.locator("img").count() == 0
