"""Text from outside, made safe for a terminal, an overlay, a log and a file name.

Labels, names and addresses are written by strangers: everything of theirs that reaches a reader passes through here.
"""

import os
import re
import unicodedata
from urllib.parse import urlsplit

MAX_CHARS = 64
"""How much outside text a reader is shown."""

_USERINFO = re.compile(r"(?P<start>://|(?<=\w\w):/)(?!/)(?:\S*@|[^\s/@:]*:[^\n/@]{0,200}@)")
"""Up to the last @, for a password may hold a slash, or a blank where it should not. C:/ is none; paths make one slash
of two."""

_PAIR = re.compile(r"[?&;#/_](?P<name>[\w.-]{1,64})=")
"""In a query, a fragment, or a path: some cameras want `/user=NAME_password=WORD_channel=1`."""

_SECRET = re.compile(
    "pass|pwd|psw|token|secret|key|auth|sig|cred|login|user|usr|account|session|policy|hmac|jwt|streamid|ticket"
    "|header|cookie",
    re.IGNORECASE,
)
"""What is in the name of something that is nobody's business."""

_VALUE = re.compile(r"[^&\s]*")

_SECRET_HEAD = re.compile(
    r"(?P<key>\b(?:headers|cookies?|(?:proxy-)?authorization)\b[\"']?\s*[=:]\s*)(?P<value>\S.*)", re.IGNORECASE
)
"""What the head of a request says, to the end of the line."""

_STREAM_KEY = re.compile(r"(?P<start>rtmps?://\S*/)(?P<value>(?=[^/\s]*\d)(?=[^/\s]*[a-z])[^/?\s]{16,})", re.IGNORECASE)
"""The last part of an address of RTMP, where it is as long as a key and has letters and digits."""

_CLOSING = ":,.;)]}>\"'"

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
    """`text` with the user, password and secret values of any address and head of a request in it masked."""
    masked = _STREAM_KEY.sub(_masked, _without_secret_pairs(_USERINFO.sub(r"\g<start>***@", text)))
    return _SECRET_HEAD.sub(_masked, masked)


def redacted_option(option: str) -> str:
    """`NAME=VALUE` as it may be shown: the value of `headers`, `cookies`, `passphrase` and the like is masked whole."""
    name, equals, _ = option.partition("=")
    return f"{name}=***" if equals and _SECRET.search(name) else redacted(option)


def _without_secret_pairs(text: str) -> str:
    kept, at = "", 0
    for pair in _PAIR.finditer(text):
        if pair.start() >= at and _SECRET.search(pair["name"]):
            value = _VALUE.match(text, pair.end())
            assert value is not None
            kept += f"{text[at : pair.end()]}***{_closing(value[0])}"
            at = value.end()
    return kept + text[at:]


def _masked(match: re.Match[str]) -> str:
    return f"{match[1]}***{_closing(match['value'])}"


def _closing(value: str) -> str:
    """The punctuation behind an address in a sentence, which is not the address's."""
    return value[len(value.rstrip(_CLOSING)) :]


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
