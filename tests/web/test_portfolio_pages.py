"""S3, S20: the pages of portfolios as they are sent; what a browser makes of them is tested in one."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

import httpx
import pytest

from glassfolio.web import wording
from glassfolio.web.chart import HEIGHT, WIDTH, line_chart
from tests.contracts.running import Running, ended, opened, stored
from tests.web.browser import Browser

GAPS = (
    "Symbol,Quantity,Entry Price Per Share,Entry Date\n"
    "AAPL,100,63.93,2020-04-06\nZZZQ,5,24.80,2021-04-19\nAAPL  230120C00150000,1,5.00,2022-06-01\n"
)


@pytest.fixture
def browser(working: Running) -> Iterator[Browser]:
    with Browser(working) as made:
        made.open_link("alice")
        yield made


class TestPages:
    def test_only_the_owner_gets_them(self, working: Running, browser: Browser) -> None:
        """S3: absent, malformed and foreign ones are the same page."""
        foreign = stored(working.client("bob"))
        absent = "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10"
        for rest in ("", "/onboarding"):
            pages = [browser.get(f"/portfolios/{one}{rest}") for one in (foreign, absent, "x")]
            assert {page.status_code for page in pages} == {404}
            assert len({page.content for page in pages}) == 1
            without = working.anonymous().get(f"/portfolios/{foreign}{rest}", headers={"Accept": "text/html"})
            assert without.status_code == 401
            assert f'name="to" value="/portfolios/{foreign}{rest}"' in without.text

    def test_one_that_was_never_onboarded_says_so(self, working: Running, browser: Browser) -> None:
        page = browser.get(f"/portfolios/{stored(working.client('alice'))}").text
        assert "Nothing has been computed yet." in page
        assert "<table>" not in page

    def test_what_was_computed_and_what_is_missing(self, working: Running, browser: Browser) -> None:
        alice = working.client("alice")
        portfolio_id = opened(alice, GAPS, equity="20000")["portfolio_id"]
        assert ended(alice, portfolio_id)["status"] == "completed"
        page = browser.get(f"/portfolios/{portfolio_id}").text
        assert "20,000.00 USD" in page
        assert re.search(r"<h2 id=\"missing\">.*ZZZQ: the price source does not know it\.", page, re.DOTALL)
        newest = alice.get(f"/api/v1/portfolios/{portfolio_id}/snapshots").json()["snapshots"][-1]
        assert wording.money(newest["gross"]) in page
        assert wording.percent(newest["twr_cum"]) in page
        held = alice.get(f"/api/v1/portfolios/{portfolio_id}/positions").json()["positions"]
        for row in held:
            assert f'<th scope="row">{row["symbol"]}</th>' in page
        for scenario in alice.get(f"/api/v1/portfolios/{portfolio_id}/stress").json()["scenarios"]:
            assert scenario["title"] in page
        assert "None" not in re.sub(r"<[^>]+>", "", page)
        assert "nan" not in page.lower().split()

    def test_the_first_page_tells_where_each_stands(self, working: Running, browser: Browser) -> None:
        browser.open_link("carol")
        carol = working.client("carol")
        stored(carol, name="First")
        ended(carol, opened(carol, name="Second")["portfolio_id"])
        ended(carol, opened(carol, GAPS, name="Third", equity="20000")["portfolio_id"])
        words = re.findall(r"/onboarding\">([^<]+)</a>", browser.get("/").text)
        assert words == ["Completed, with gaps", "Completed", "Not started"]

    def test_scripts_are_asked_for_anew(self, working: Running) -> None:
        reply = working.anonymous().get("/static/follow.js")
        assert reply.headers["cache-control"] == "no-cache"
        again = {"If-None-Match": reply.headers["etag"]}
        assert working.anonymous().get("/static/follow.js", headers=again).status_code == 304


class TestSignInLeadsOn:
    @pytest.mark.parametrize(
        ("to", "where"),
        [
            ("/portfolios/new", "/portfolios/new"),
            ("/portfolios/4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10/onboarding", None),
            ("", "/"),
            ("//example.com", "/"),
            ("https://example.com/portfolios/new", "/"),
            ("/portfolios/new\r\nX: y", "/"),
            ("/portfolios/new?x", "/"),
        ],
    )
    def test_to_a_page_of_ours_only(self, working: Running, to: str, where: str | None) -> None:
        secret = working.parts.signing_in.make_link("dora")
        with httpx.Client(base_url=working.url) as client:
            reply = client.get(f"/sign-in/{secret}", params={"to": to})
        assert reply.status_code == 303
        assert reply.headers["location"] == (to if where is None else where)


DAYS = [date(2022, 1, 3) + timedelta(days=k) for k in range(10)]


class TestChart:
    def test_a_line_from_the_first_to_the_last_day_between_round_levels(self) -> None:
        chart = line_chart(DAYS, [100.0 + k for k in range(10)])
        assert chart is not None
        points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+),([\d.]+)", chart.path)]
        assert points[0][0] == chart.left
        assert points[-1][0] == chart.right
        assert [y for _x, y in points] == sorted((y for _x, y in points), reverse=True)
        assert [tick.label for tick in chart.levels] == ["100", "105", "110"]
        assert [tick.label for tick in chart.days][:: len(chart.days) - 1] == ["3 Jan 2022", "12 Jan 2022"]

    def test_a_missing_value_breaks_the_line(self) -> None:
        chart = line_chart(DAYS, [1.0, 2.0, None, None, 3.0, *[4.0] * 5])
        assert chart is not None
        assert chart.path.count("M") == 2

    @pytest.mark.parametrize("values", [[-5.0, 5.0], [7.0, 7.0], [0.0, 0.0], [1e12, 2e12], [-1e-3, 1e-3]])
    def test_every_point_lies_in_the_picture(self, values: list[float]) -> None:
        chart = line_chart(DAYS[:2], values)
        assert chart is not None
        for x, y in re.findall(r"([\d.-]+),([\d.-]+)", chart.path):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT

    def test_one_value_is_no_line(self) -> None:
        assert line_chart(DAYS[:1], [1.0]) is None
        assert line_chart(DAYS[:2], [1.0, None]) is None
        assert line_chart([], []) is None


def test_what_is_missing_is_a_dash_and_never_a_zero() -> None:
    assert wording.money(None) == wording.percent(None) == wording.number(None) == "–"
    assert wording.figure(None, "sharpe") == "–"


def test_numbers_are_shown_in_their_units() -> None:
    assert wording.money(-1234.5) == "−1,234.50"
    assert wording.money(-0.001) == "0.00"
    assert wording.percent(-12.5) == "−1,250.00 %"
    assert wording.percent(0.0425) == "4.25 %"
    assert wording.figure(0.2, "realised_vol_21") == "20.00 %"
    assert wording.figure(0.2, "sharpe") == "0.20"
    assert wording.title("style.low_vol") == "Low vol, style model"
