"""The portfolio form: every field's rule and code."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.imports.form import PortfolioForm, read_form
from tests.imports.build import TODAY

FIELDS = {
    "name": " Retirement ",
    "account_name": "Schwab 123",
    "account_type": "roth_ira",
    "equity": "$125,000.5",
    "equity_as_of": "2024-06-28",
    "description": "long term",
}


def test_a_good_form_is_a_portfolio() -> None:
    form = read_form(FIELDS, today=TODAY)
    assert form == PortfolioForm(
        "Retirement", "Schwab 123", "roth_ira", Decimal("125000.50"), date(2024, 6, 28), "long term"
    )
    assert str(form.equity) == "125000.50"


def test_date_and_description_may_be_missing() -> None:
    fields = {key: FIELDS[key] for key in ("name", "account_name", "account_type", "equity")}
    form = read_form(fields, today=TODAY)
    assert isinstance(form, PortfolioForm)
    assert (form.equity_as_of, form.description) == (None, "")


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("name", "", "ERR_PORT_002"),
        ("name", " \n\x00", "ERR_PORT_002"),
        ("name", "x" * 256, "ERR_PORT_003"),
        ("account_name", " ", "ERR_PORT_011"),
        ("account_name", "x" * 101, "ERR_PORT_010"),
        ("account_type", "", "ERR_PORT_009"),
        ("account_type", "savings", "ERR_PORT_009"),
        ("equity", "", "ERR_PORT_004"),
        ("equity", "n/a", "ERR_PORT_004"),
        ("equity", "0", "ERR_PORT_005"),
        ("equity", "-5", "ERR_PORT_005"),
        ("equity", "lots", "ERR_PORT_005"),
        ("equity", "NaN", "ERR_PORT_005"),
        ("equity", "1e5", "ERR_PORT_005"),
        ("equity", "€5", "ERR_PORT_005"),
        ("equity", "1.005", "ERR_PORT_005"),
        ("equity", "1000000000000.01", "ERR_PORT_006"),
        ("equity", "1" * 16, "ERR_PORT_006"),
        ("equity_as_of", "soon", "ERR_PORT_012"),
        ("equity_as_of", "2024-06-29", "ERR_PORT_012"),
        ("equity_as_of", "03/04/2024", "ERR_PORT_012"),
        ("description", "x" * 1001, "ERR_PORT_014"),
    ],
)
def test_each_field_has_its_code(field: str, text: str, code: str) -> None:
    found = read_form({**FIELDS, field: text}, today=TODAY)
    assert isinstance(found, tuple)
    assert [(problem.code, problem.column) for problem in found] == [(code, field)]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", "x" * 255),
        ("account_name", "x" * 100),
        ("account_type", "Roth IRA"),
        ("account_type", "401K"),
        ("equity", "0.01"),
        ("equity", "1,000,000,000,000.00"),
        ("equity", "12.3400"),
        ("equity_as_of", "28/06/2024"),
        ("equity_as_of", ""),
        ("description", "x" * 1000),
    ],
)
def test_the_longest_and_largest_legal_values_pass(field: str, text: str) -> None:
    assert isinstance(read_form({**FIELDS, field: text}, today=TODAY), PortfolioForm)


def test_all_fields_are_checked_at_once_in_the_order_of_the_form() -> None:
    found = read_form({"equity_as_of": "soon", "description": "x" * 1001}, today=TODAY)
    assert isinstance(found, tuple)
    assert [problem.column for problem in found] == [
        "name",
        "account_name",
        "account_type",
        "equity",
        "equity_as_of",
        "description",
    ]


def test_control_characters_and_lone_surrogates_never_get_into_a_name() -> None:
    form = read_form({**FIELDS, "name": "Re\x00ti\ud800re\nment"}, today=TODAY)
    assert isinstance(form, PortfolioForm)
    assert form.name == "Retire ment"


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=30)))
def test_any_text_gives_a_portfolio_or_problems(fields: dict[str, str]) -> None:
    found = read_form(fields, today=TODAY)
    assert isinstance(found, PortfolioForm) or found
