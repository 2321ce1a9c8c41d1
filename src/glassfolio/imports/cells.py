"""From a cell's text to a number, a symbol or one of several words; or to what is wrong with it.

Knows nothing of columns, rows or codes. Numbers are read exactly; nothing is rounded or guessed.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from glassfolio.model.holdings import Param

UNKNOWN = frozenset({"", "-", "--", "—", "n/a", "null"})
LONGEST_UNKNOWN = max(len(word) for word in UNKNOWN)
MAX_DIGITS = 15
MAX_PLACES = 8

_FOREIGN_CODES = (
    "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNH|CNY|CZK|DKK|EUR|GBP|GBX|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NOK|NZD|"
    "PHP|PLN|SAR|SEK|SGD|THB|TRY|TWD|ZAR"
)
_FOREIGN = re.compile(rf"(?:{_FOREIGN_CODES})(?![A-Z])|(?:C|CA|A|AU|HK|NZ|S|R)\$", re.ASCII)
_DOLLAR = r"(?:(?:US)?\$|USD)"
_SHAPE = re.compile(
    rf"([-+(]?) ?{_DOLLAR}? ?([-+(]?)([0-9][0-9.,']*|[.,][0-9]+) ?{_DOLLAR}?([-)]?)(?: ?{_DOLLAR})?", re.ASCII
)
_SIMPLE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,8})?", re.ASCII)
_NEGATIVE = {"": False, "+": False, "-": True, "()": True}
_EXPONENT = re.compile(r"[-+]?[0-9]*[.,]?[0-9]+[eE][-+]?[0-9]+", re.ASCII)
_POINT = re.compile(
    r"(?:[0-9]+|[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?:'[0-9]{3})+))(?:\.[0-9]*)?|\.[0-9]+", re.ASCII
)
_COMMA = re.compile(
    r"(?:[0-9]+|[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+|(?:'[0-9]{3})+))(?:,[0-9]*)?|,[0-9]+", re.ASCII
)
_SPACES = str.maketrans({"\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2212": "-", "\u2019": "'"})

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._/=^-]*", re.ASCII)
_NO_SYMBOL = re.compile(r"[^A-Za-z0-9._/=^-]", re.ASCII)
_CLASS_LETTER = re.compile(r"([A-Z0-9]+)[/ ]([A-Z])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a cell cannot be read.

    reason: a short fixed word.
    params: what the words told to the owner need.
    """

    reason: str
    params: Mapping[str, Param] = field(default_factory=dict)


class DecimalMark(StrEnum):
    """What a file writes before its decimals; UNPROVED when no cell, or cells of both kinds, tell."""

    POINT = "."
    COMMA = ","
    UNPROVED = "?"


def known(cell: str) -> str:
    """The cell without outer spaces; empty when it only says that something is unknown."""
    text = cell.strip()
    return "" if len(text) <= LONGEST_UNKNOWN and text.casefold() in UNKNOWN else text


def decimal_mark(cells: Iterable[str]) -> DecimalMark:
    """The decimal mark that the numbers of a file prove: those that only one of the two readings fits."""
    proved = set()
    for cell in cells:
        parts = _taken_apart(cell)
        if parts is None:
            continue
        point, comma = _POINT.fullmatch(parts[1]), _COMMA.fullmatch(parts[1])
        if point and not comma:
            proved.add(DecimalMark.POINT)
        elif comma and not point:
            proved.add(DecimalMark.COMMA)
    return proved.pop() if len(proved) == 1 else DecimalMark.UNPROVED


def read_number(cell: str, mark: DecimalMark = DecimalMark.POINT) -> Decimal | Fault:
    """The number a cell states, exactly, with at most 8 decimals.

    Tolerates spaces, $, USD, one sign before or after, parentheses as minus, and exact thousands groups.
    Fault reasons: not_a_number, exponent, comma, ambiguous_number, digits, places, currency.
    """
    if mark is DecimalMark.POINT and _SIMPLE.fullmatch(cell):
        return Decimal(cell)
    parts = _taken_apart(cell)
    if parts is None:
        return _why_no_number(cell)
    negative, body = parts
    plain = _plain(body, mark)
    if isinstance(plain, Fault):
        return plain
    whole, _, places = plain.partition(".")
    if len(whole) > MAX_DIGITS:
        return Fault("digits", {"limit": MAX_DIGITS})
    if len(places) > MAX_PLACES:
        if places[MAX_PLACES:].strip("0"):
            return Fault("places", {"limit": MAX_PLACES})
        places = places[:MAX_PLACES]
    value = Decimal(f"{whole or '0'}.{places}" if places else whole or "0")
    return value.copy_negate() if negative and value else value


def read_symbol(cell: str, limit: int) -> str | Fault:
    """A ticker in capitals; a slash or a space before a class letter becomes a hyphen.

    Fault reasons: characters (something no ticker has), too_long (over `limit` characters).
    """
    text = cell.strip(" \t\r\n")
    if text.isascii():
        text = text.upper()
        share_class = _CLASS_LETTER.fullmatch(text)
        text = f"{share_class[1]}-{share_class[2]}" if share_class else text
        if _SYMBOL.fullmatch(text):
            return text if len(text) <= limit else Fault("too_long", {"limit": limit})
    strange = dict.fromkeys(_NO_SYMBOL.findall(text)) or {text[0]: None}
    return Fault("characters", {"characters": ", ".join(_named(c) for c in list(strange)[:3])})


def word(cell: str) -> str:
    """A cell as one of our fixed words: capitals, with underscores for spaces and hyphens."""
    text = cell.strip()
    return text.upper().replace(" ", "_").replace("-", "_") if text.isascii() else text


def _taken_apart(cell: str) -> tuple[bool, str] | None:
    """Whether a number is negative, and its digits with their separators."""
    shape = _SHAPE.fullmatch(cell.translate(_SPACES).strip())
    if shape is None:
        return None
    before, inner, body, after = shape.groups()
    negative = _NEGATIVE.get(before + inner + after)
    return None if negative is None else (negative, body)


def _plain(body: str, mark: DecimalMark) -> str | Fault:
    """The digits with a point and nothing else."""
    point = body.replace(",", "").replace("'", "") if _POINT.fullmatch(body) else None
    if mark is DecimalMark.POINT:
        return point or Fault("comma" if "," in body else "not_a_number")
    comma = body.replace(".", "").replace("'", "").replace(",", ".") if _COMMA.fullmatch(body) else None
    if mark is DecimalMark.COMMA:
        return comma or Fault("not_a_number")
    if point and comma and point != comma:
        return Fault("ambiguous_number", {"first": point, "second": comma})
    return point or comma or Fault("not_a_number")


def _why_no_number(cell: str) -> Fault:
    text = cell.translate(_SPACES).strip()
    if _EXPONENT.fullmatch(text):
        return Fault("exponent")
    signs = [c for c in text if unicodedata.category(c) == "Sc" and c != "$"]
    found = _FOREIGN.search(text)
    currency = signs[0] if signs else found[0] if found else None
    if currency and _taken_apart(text.replace(currency, "", 1)):
        return Fault("currency", {"currency": currency})
    return Fault("not_a_number")


def _named(character: str) -> str:
    code = f"U+{ord(character):04X}"
    return f"{character} ({code})" if character.isprintable() and not character.isspace() else code
