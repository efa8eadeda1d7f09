"""Text from outside, made safe for a terminal, an overlay, a log and a file name.

Labels, names and addresses are written by strangers: everything of theirs that reaches a reader passes through here.
"""

import os
import re
import unicodedata
from urllib.parse import urlsplit

MAX_CHARS = 64
"""How much outside text a reader is shown."""

_USERINFO = re.compile(r"(?P<start>://|(?<=\w\w):/)(?!/)\S*@")
"""Up to the last @, for a password may hold a slash. A path makes one slash of two; C:/ is none."""

_SECRET_QUERY = re.compile(
    r"(?P<key>[?&;](?:password|passwd|pwd|pass|token|secret|key|api_?key|auth|user)=)[^&;\s]*", re.IGNORECASE
)
_UNSAFE_IN_NAMES = re.compile(r"[^\w.+-]+")


def printable(text: str, *, limit: int = MAX_CHARS) -> str:
    """`text` on one line, without control, formatting or unassigned characters, cut to `limit` characters.

    Escape sequences, carriage returns, NUL and the marks that turn the direction of writing are categories Cc and Cf
    of Unicode; lone surrogates are Cs. A cut is shown by an ellipsis.
    """
    kept: list[str] = []
    for character in text[: 4 * limit + 4]:
        if character.isspace():
            kept.append(" ")
        elif unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}:
            kept.append(character)
    line = " ".join("".join(kept).split())
    if len(line) > limit or len(text) > 4 * limit + 4:
        return line[: limit - 1] + "…"
    return line


def redacted(text: str) -> str:
    """`text` with the user, password and secret query values of any address in it masked."""
    masked = _USERINFO.sub(r"\g<start>***@", text)
    return _SECRET_QUERY.sub(lambda match: f"{match['key']}***", masked)


def safe_file_name(text: str) -> str:
    """`text` as one component of a path: never empty, never hidden, never a way out of its folder."""
    if "://" in text:
        address = urlsplit(redacted(text))
        text = f"{address.hostname or ''}{address.path}"
    name = _UNSAFE_IN_NAMES.sub("_", printable(text)).strip("._")
    return name or "unnamed"


def local_name(path: str) -> str:
    """`path` so that FFmpeg can take it for nothing but a file: of a relative one, `concat:a`, it makes a protocol."""
    return os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
