"""Text in, holdings and problems out: the formats we read.

Knows nothing of files on disk, databases, prices or the time of day.
"""

import hashlib
from datetime import date

from glassfolio.imports import template
from glassfolio.imports.base import Asked, Format, IsSession, Reading
from glassfolio.imports.header import no_header
from glassfolio.imports.problems import problem
from glassfolio.imports.text import Document, open_document, promises_text
from glassfolio.model.holdings import Holdings, Problem

FORMATS: tuple[Format, ...] = (template.FORMAT,)


def parse(data: bytes, *, filename: str, today: date, is_session: IsSession) -> Holdings:
    """Everything a holdings file says, and everything that is wrong with it, in file order.

    filename: as the owner's computer calls it; only a hint.
    today: the date at the exchange now.
    is_session: whether the exchange is open on a day; True where its calendar does not reach.
    Holdings.format is "unknown", with one error, when no format fits. Never raises for bad data.
    """
    opened = open_document(data, filename)
    if isinstance(opened, Problem):
        return _holdings(data, None, Reading((), (opened,), 0))
    for candidate in FORMATS:
        header = candidate.recognise(opened)
        if header is not None:
            reading = candidate.read(opened, header, Asked(today, is_session))
            return _holdings(data, candidate, reading, opened.problems)
    return _holdings(data, None, Reading((), (_unrecognised(opened),), 0), opened.problems)


def _unrecognised(document: Document) -> Problem:
    """A name that promises another kind of file explains best why there is no header."""
    found = no_header(document.text)
    if found.code == "ERR_CSV_005" and not promises_text(document.filename):
        return problem("ERR_CSV_002", kind="named like another kind of file, and has no header line we know")
    return found


def _holdings(
    data: bytes, found: Format | None, reading: Reading, before: tuple[Problem, ...] = ()
) -> Holdings:
    return Holdings(
        format=found.name if found else "unknown",
        version=found.version if found else "",
        lots=reading.lots,
        problems=(*before, *reading.problems),
        rows_read=reading.rows_read,
        sha256=hashlib.sha256(data).hexdigest(),
        as_of=reading.as_of,
    )
