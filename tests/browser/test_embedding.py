"""B3: another front end embeds the live element, on an origin of its own that the settings name."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.screen import SAMPLE
from tests.contracts.running import AFTER_THE_LAST_SESSION, ShiftedClock, make_settings, opened, running

PAGE = """<!doctype html><html lang="en"><title>Front</title>
<script type="module" src="{service}/static/onboarding-progress.js"></script>
<onboarding-progress status="{service}/api/v1/onboarding/status/{id}"></onboarding-progress>
<script>document.querySelector("onboarding-progress").token = async () => "{token}";</script>"""


@contextmanager
def front_end() -> Iterator[tuple[str, dict[str, str]]]:
    """A server of one page, whose text can be set; gives its origin."""
    shown = {"page": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = shown["page"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", shown
    finally:
        server.shutdown()
        server.server_close()


def test_a_page_of_an_allowed_origin_shows_the_run_and_others_do_not(
    chromium: Browser, tmp_path: Path
) -> None:
    with front_end() as (origin, shown), front_end() as (stranger, strange):
        settings = make_settings(tmp_path, origins=origin)
        with running(settings, clock=ShiftedClock(AFTER_THE_LAST_SESSION)) as service:
            started = opened(service.client("alice"), SAMPLE)
            text = PAGE.format(service=service.url, id=started["portfolio_id"], token=service.token("alice"))
            shown["page"] = strange["page"] = text
            context = chromium.new_context()
            page = context.new_page()
            page.goto(origin)
            page.get_by_text("Completed, with gaps").first.wait_for()
            assert page.locator(".entries li").count() > 10
            page.goto(stranger)
            page.wait_for_timeout(500)
            assert page.evaluate("customElements.get('onboarding-progress') === undefined")
            context.close()
