"""What a file format is to the rest of the program: a way to recognise it and a way to read it.

Knows no particular format.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from glassfolio.imports.header import Header
from glassfolio.imports.text import Document
from glassfolio.model.holdings import Lot, Problem

IsSession = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reading depends on besides the file.

    today: the date at the exchange.
    is_session: whether the exchange is open on a day.
    """

    today: date
    is_session: IsSession


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format makes of a file; see Holdings."""

    lots: tuple[Lot, ...]
    problems: tuple[Problem, ...]
    rows_read: int
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of holdings file.

    recognise: the file's header, or None when it is another format.
    read: every row; bad data are problems, never exceptions.
    """

    name: str
    version: str
    recognise: Callable[[Document], Header | None]
    read: Callable[[Document, Header, Asked], Reading]
