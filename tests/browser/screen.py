"""A person before a browser: signed in, with everything that goes wrong on a page written down."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

from glassfolio import bundled
from tests.contracts.running import Running

PATIENCE_MS = 30_000
# What a browser writes down of every answer that is no 2xx; the pages themselves tell their owner.
LOADING = re.compile(r"Failed to load resource")
SAMPLE = bundled.read_bytes("sample_with_gaps.csv")
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Where this machine's Chromium is; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """A Chromium of its own, without a window."""
    # A sandbox cannot be made by root.
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


class Person:
    """One browser context with one sign-in. wrong: script errors, and violations of the content policy."""

    def __init__(self, chromium: Browser, service: Running, subject: str, **context: Any) -> None:
        self.service, self.subject = service, subject
        self.wrong: list[str] = []
        self.requests: list[Request] = []
        self._context = chromium.new_context(base_url=service.url, **context)
        self._context.set_default_timeout(PATIENCE_MS)
        self.page = self.tab()

    def __enter__(self) -> Self:
        self.sign_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.close()
        if kind is None:
            assert self.wrong == []

    def tab(self) -> Page:
        """One more tab of the same browser."""
        page = self._context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not LOADING.search(message.text):
            self.wrong.append(message.text)

    def sign_in(self, to: str = "") -> None:
        link = self.service.parts.signing_in.make_link(self.subject)
        self.page.goto(f"/sign-in/{link}" + (f"?to={to}" if to else ""))

    def hand_in(self, content: bytes = SAMPLE, *, name: str = "Mine", equity: str = "100000") -> str:
        """Hand in a file by the form, and come to the page of its onboarding; returns the portfolio's id."""
        self.fill(content, name=name, equity=equity)
        self.page.get_by_role("button", name="Start the onboarding").click()
        self.page.wait_for_url("**/onboarding")
        return self.page.url.split("/")[-2]

    def fill(self, content: bytes = SAMPLE, *, name: str = "Mine", equity: str = "100000") -> None:
        """Fill in the form."""
        page = self.page
        page.goto("/portfolios/new")
        file: Any = {"name": "holdings.csv", "mimeType": "text/csv", "buffer": content}
        page.get_by_label("Holdings file").set_input_files(file)
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Net value").fill(equity)

    def sees(self, text: str, page: Page | None = None) -> Locator:
        """Wait until a text can be seen."""
        found = (page or self.page).get_by_text(text).first
        found.wait_for()
        return found

    def asked(self, ending: str) -> int:
        """How many requests were made to addresses that end so."""
        return sum(request.url.split("?")[0].endswith(ending) for request in self.requests)


def percents(page: Page) -> Callable[[], list[int]]:
    """Write down every percent that the page shows from now on; returns how to read them."""
    page.evaluate(
        """() => {
          window.percents = [];
          const root = document.querySelector("onboarding-progress").shadowRoot;
          const shown = root.querySelector(".percent");
          const note = () => window.percents.push(parseInt(shown.textContent));
          note();
          new MutationObserver(note).observe(shown, { childList: true, characterData: true, subtree: true });
        }"""
    )
    return lambda: [value for value in page.evaluate("window.percents") if value is not None]
