"""How problems are gathered and how a cell is shown."""

from hypothesis import given
from hypothesis import strategies as st

from glassfolio.imports.problems import Group, groups, problem, shown


def test_equal_problems_are_gathered_with_their_first_20_lines() -> None:
    many = [problem("ERR_POS_004", line=n, column="Quantity") for n in range(2, 32)]
    other = problem("ERR_CSV_005", lines=40)
    assert groups([*many[:1], other, *many[1:]]) == (
        Group("ERR_POS_004", "Quantity", 30, tuple(range(2, 22))),
        Group("ERR_CSV_005", None, 1, ()),
    )


def test_one_code_in_two_columns_makes_two_groups() -> None:
    found = groups([problem("ERR_POS_031", column=name, limit=15) for name in ("Quantity", "Strike Price")])
    assert [(group.column, group.count) for group in found] == [("Quantity", 1), ("Strike Price", 1)]


def test_invisible_characters_are_shown_escaped() -> None:
    assert shown("a\x00\n\u200b\u202eb") == "a\\x00\\n\\u200b\\u202eb"


@given(st.text(max_size=200))
def test_what_is_shown_is_printable_and_at_most_64_characters(cell: str) -> None:
    text = shown(cell)
    assert len(text) <= 64
    assert text.isprintable()


def test_a_short_cell_is_shown_as_it_is_and_a_long_one_is_cut_visibly() -> None:
    assert shown("x" * 64) == "x" * 64
    assert shown("x" * 65) == "x" * 63 + "…"
