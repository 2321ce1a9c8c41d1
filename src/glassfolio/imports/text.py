"""From bytes to text: what kind of file it is, and which encoding.

The bytes decide; a file's name is only a hint. Knows nothing of delimiters or columns.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath

from glassfolio.imports.problems import problem
from glassfolio.model.holdings import Problem

MAX_BYTES = 10 * 1024 * 1024
MAX_NAME = 100

KEPT = frozenset("\n\t\u200c\u200d")
UNREADABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

ARCHIVE = "an archive or a spreadsheet workbook"
LEADING_BYTES: Mapping[bytes, str] = {
    b"PK\x03\x04": ARCHIVE,
    b"PK\x05\x06": ARCHIVE,
    b"PK\x07\x08": ARCHIVE,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old spreadsheet workbook",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a compressed file",
    b"BZh": "a compressed file",
    b"\xfd7zXZ\x00": "a compressed file",
    b"\x28\xb5\x2f\xfd": "a compressed file",
    b"7z\xbc\xaf\x27\x1c": "an archive",
    b"Rar!": "an archive",
    b"PAR1": "a Parquet file",
    b"{\\rtf": "a word processor's document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table")
TEXT_NAMES = ("", ".csv", ".txt", ".tsv")
BYTE_ORDER_MARKS: Mapping[bytes, str] = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A file as text.

    problems: what had to be assumed to read it.
    """

    filename: str
    text: str
    problems: tuple[Problem, ...] = ()


def open_document(data: bytes, filename: str) -> Document | Problem:
    """The file as text, or why it is none: too large, another kind of file, or not decodable."""
    if len(data) > MAX_BYTES:
        return problem("ERR_CSV_001", limit_mib=MAX_BYTES // 1024**2)
    kind = foreign_kind(data)
    if kind is not None:
        return problem("ERR_CSV_002", kind=kind)
    decoded = _decode(data)
    if isinstance(decoded, Problem):
        return decoded
    text, problems = decoded
    return Document(filename, text, problems)


def foreign_kind(data: bytes) -> str | None:
    """What the leading bytes say the file is, when that is not text."""
    for leading, kind in LEADING_BYTES.items():
        if data.startswith(leading):
            return kind
    start = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip()[:16].lower()
    return "a web page or markup" if start.startswith(MARKUP) else None


def readable(text: str) -> str:
    """Text of a person without what cannot be seen and may deceive: control characters, direction marks,
    line and paragraph separators, invisible characters, lone surrogates. Line feeds, tabs and the joiners of
    scripts and emoji stay.
    """
    return "".join(c for c in text if c in KEPT or unicodedata.category(c) not in UNREADABLE)


def shown_name(filename: str) -> str:
    """A file's name without folders and in at most 100 printable characters; its ending survives a cut."""
    name = "".join(c for c in readable(PureWindowsPath(filename).name) if c.isprintable()).strip()
    if not name.strip("."):
        return ""
    if len(name) <= MAX_NAME:
        return name
    ending = PurePath(name).suffix[:MAX_NAME]
    return name[: MAX_NAME - len(ending)] + ending


def promises_text(filename: str) -> bool:
    """Whether the name is one that delimited text usually has."""
    name = PurePath(filename.lower())
    return name.suffix in TEXT_NAMES or name.name.endswith(".csv.xls")


def _decode(data: bytes) -> tuple[str, tuple[Problem, ...]] | Problem:
    mark = next((m for m in BYTE_ORDER_MARKS if data.startswith(m)), b"")
    encoding = BYTE_ORDER_MARKS.get(mark, "utf-8")
    warnings: tuple[Problem, ...] = ()
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as fault:
        if mark:
            return _undecodable(data, encoding, len(mark), fault)
        first_line = _line_at(data[: fault.start].decode("utf-8"))
        encoding = "cp1252"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as second:
            return _undecodable(data, encoding, 0, second)
        warnings = (problem("WARN_CSV_002", line=first_line, encoding=encoding),)
    if mark and encoding != "utf-8":
        warnings = (problem("WARN_CSV_002", encoding=encoding.upper()),)
    position = text.find("\0")
    if position >= 0:
        offset = len(mark) + len(text[:position].encode(encoding))
        return problem("ERR_CSV_006", line=_line_at(text[:position]), reason="nul_byte", offset=offset)
    return text, warnings


def _undecodable(data: bytes, encoding: str, skipped: int, fault: UnicodeDecodeError) -> Problem:
    before = data[skipped : skipped + fault.start].decode(encoding, errors="replace")
    return problem(
        "ERR_CSV_006",
        line=_line_at(before),
        reason="undecodable",
        offset=skipped + fault.start,
        encoding=encoding,
    )


def _line_at(before: str) -> int:
    """The physical line that follows `before`; CRLF, LF and CR each end a line."""
    return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")
