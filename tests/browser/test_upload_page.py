"""S20, B7: handing in a file by the form; what is wrong with it stands beside the rows it is wrong in."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Person
from tests.contracts.running import Running, stored

HEADER = b"Symbol,Quantity,Entry Price Per Share,Entry Date\n"
BAD = (
    HEADER
    + b"AAPL,0,150.25,2021-03-15\nMSFT,ten,20,2021-99-02\n<img src=x>,5,30,2021-01-04\nKO,5,30,2021-01-04\n"
)


def test_every_problem_stands_beside_its_row_and_the_cell_is_marked(alice: Person, service: Running) -> None:
    alice.fill(BAD, equity="12x")
    page = alice.page
    page.get_by_role("button", name="Start the onboarding").click()
    alice.sees("5 problems; nothing was stored.")
    rows = page.locator(".problems tbody tr")
    assert [row.split("\t")[0] for row in rows.all_inner_texts()] == ["form", "2", "3", "4"]
    assert rows.nth(2).locator("mark").all_inner_texts() == ["ten", "2021-99-02"]
    assert rows.nth(3).locator("mark").all_inner_texts() == ["<img src=x>"]
    assert "ERR_POS_006" in rows.nth(1).inner_text()
    assert page.locator("img").count() == 0
    expect(page.get_by_label("Net value")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#found")).to_be_focused()
    assert service.client("alice").get("/api/v1/portfolios").json() == []


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_rows_are_shown_as_the_service_reads_them(alice: Person, encoding: str) -> None:
    text = "Symbol,Quantity,Entry Price Per Share,Entry Date\r\nÄÖÜ,5,30,2021-01-04\r\n"
    alice.fill(text.encode(encoding))
    alice.page.get_by_role("button", name="Only check the file").click()
    alice.sees("ÄÖÜ,5,30,2021-01-04")


def test_a_file_can_be_checked_before_anything_is_stored(alice: Person, service: Running) -> None:
    alice.fill()
    alice.page.get_by_role("button", name="Only check the file").click()
    alice.sees("The file is fine: 8 lots")
    assert service.client("alice").get("/api/v1/portfolios").json() == []


def test_nothing_filled_in_is_told_field_by_field(alice: Person) -> None:
    alice.page.goto("/portfolios/new")
    alice.page.get_by_role("button", name="Start the onboarding").click()
    alice.sees("problems; nothing was stored.")
    for field in ("file", "name", "account_name", "equity"):
        expect(alice.page.locator(f"[name={field}]")).to_have_attribute("aria-invalid", "true")


def test_an_account_that_has_a_portfolio_leads_to_it(alice: Person, service: Running) -> None:
    there = stored(service.client("alice"), account_name="Mine")
    alice.fill(name="Mine")
    alice.page.get_by_role("button", name="Start the onboarding").click()
    link = alice.page.get_by_role("link", name="Open that portfolio")
    expect(link).to_have_attribute("href", f"/portfolios/{there}")


def test_two_clicks_make_one_portfolio(alice: Person, service: Running) -> None:
    alice.fill()
    alice.page.get_by_role("button", name="Start the onboarding").dblclick()
    alice.page.wait_for_url("**/onboarding")
    assert len(service.client("alice").get("/api/v1/portfolios").json()) == 1


def test_a_file_that_is_too_large_is_not_sent(alice: Person) -> None:
    alice.fill(HEADER + b"x" * 11 * 1024 * 1024)
    alice.page.get_by_role("button", name="Start the onboarding").click()
    alice.sees("is larger than 10 MiB")
    assert alice.asked("/api/v1/portfolios") == 0


def test_the_first_page_lists_portfolios_with_where_they_stand(alice: Person) -> None:
    alice.page.goto("/")
    alice.page.get_by_role("link", name=re.compile("Add one here")).click()
    alice.page.wait_for_url("**/portfolios/new")
    alice.hand_in(name="Listed")
    alice.sees("Completed, with gaps")
    alice.page.goto("/")
    item = alice.page.locator(".cards li")
    assert "Listed" in item.inner_text()
    assert "Completed, with gaps" in item.inner_text()


def test_a_link_leads_to_the_page_it_names_and_nowhere_else(alice: Person) -> None:
    alice.sign_in("/portfolios/new")
    assert alice.page.url.endswith("/portfolios/new")
    for elsewhere in (
        "//example.com",
        "https://example.com",
        "/portfolios/../sign-out",
        "/api/v1/portfolios",
    ):
        alice.sign_in(elsewhere)
        assert alice.page.url == f"{alice.service.url}/"
