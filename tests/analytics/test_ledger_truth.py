"""The kernel agrees with a slow computation written from the definitions, on random books."""

import math

import numpy as np
from hypothesis import given, settings

from glassfolio.analytics.factor_exposures import OLDEST_BETA
from tests.analytics.books import Book, assert_close, beta_values, books, numbers, one_table
from tests.analytics.plain import NAN, Plain

MANY = settings(max_examples=300, deadline=None)
SCALE = 1e5


@given(books())
@MANY
def test_accounts_agree_with_a_plain_loop(book: Book) -> None:
    """B5: NAV, cash, P&L, attribution and performance, analytics 4.1 to 4.4."""
    got = vars(book.roll())
    for name, truth in Plain(book).accounts().items():
        scale = 1.0 if name in ("daily_return", "twr_cum", "drawdown") else SCALE
        np.testing.assert_allclose(got[name], truth, rtol=1e-9, atol=1e-9 * scale, err_msg=name)


@given(books())
@MANY
def test_exposures_agree_with_a_plain_loop(book: Book) -> None:
    """B5: long, short, concentration and the quality of values, analytics 4.5."""
    got, plain = vars(book.roll()), Plain(book)
    for name, truth in (plain.exposures() | plain.quality()).items():
        scale = SCALE if name in ("long", "short") else 1.0
        np.testing.assert_allclose(got[name], truth, rtol=1e-9, atol=1e-9 * scale, err_msg=name)


@given(books())
@MANY
def test_factor_exposures_agree_with_a_plain_loop(book: Book) -> None:
    """B5: dollars, coverage and age with betas as of each session, analytics 4.7."""
    value, in_model = beta_values(book)
    got = book.roll(betas=one_table(value, in_model, book.sessions))
    for t in range(book.sessions):
        held = Plain(book).nets(t)[1]
        for k in range(value.shape[2]):
            dollars = covered = gross = 0.0
            ages = []
            for column, x in held.items():
                recent = range(t, max(t - OLDEST_BETA, 0) - 1, -1)
                age = next((t - u for u in recent if math.isfinite(value[u, column, k])), None)
                gross += abs(x)
                if age is not None and x != 0:
                    dollars, covered = dollars + x * value[t - age, column, k], covered + abs(x)
                    ages.append(age)
            share = covered / gross if gross > 0 else NAN
            assert got.age[t, k] == max(ages, default=-1)
            assert_close(got.coverage[t, k], np.array(share))
            if abs(share - 0.5) > 1e-12:
                assert_close(got.dollars[t, k], np.array(dollars if share >= 0.5 else NAN), SCALE)


@given(books(portfolios=4))
@settings(max_examples=100, deadline=None)
def test_many_portfolios_are_each_what_they_are_alone(book: Book) -> None:
    """To the last bit: no portfolio's numbers hang on the others'."""
    value, in_model = beta_values(book)
    betas = one_table(value, in_model, book.sessions)
    together = book.roll_up(betas=betas)
    for p in range(len(book.holders)):
        alone = book.of(p).roll_up(betas=betas)
        for name, part in numbers(alone).items():
            np.testing.assert_array_equal(part, numbers(together, p)[name], err_msg=name, strict=True)
