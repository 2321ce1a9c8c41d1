"""The header that makes a browser keep an answer as a file, whatever the file is called.

Knows nothing of what is in it.
"""

from urllib.parse import quote

from glassfolio.imports.text import shown_name

# What may stand between the quotes of the plain form; everything else becomes an underscore.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-()")


def attachment(filename: str) -> dict[str, str]:
    """The headers of a download: an ASCII name for everybody, the whole one in the words of RFC 8187."""
    name = shown_name(filename) or "download"
    plain = "".join(c if c in PLAIN else "_" for c in name)
    whole = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return {"Content-Disposition": f'attachment; filename="{plain}"{whole}'}
