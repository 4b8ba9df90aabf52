"""What a playlist names besides segments: keys and initialisation sections (RFC 8216 sections
4.3.2.4 and 4.3.2.5); which names are safe, and what files they may stand for.
"""

import re
from collections.abc import Iterator, Mapping
from unicodedata import normalize
from urllib.parse import unquote

from pipeline.errors import masked
from pipeline.model import Finding, InitSection, Key, Severity

MAX_NAME = 255  # bytes: the longest name a folder can hold
MAX_PATH = 1024  # bytes: the longest key a store takes
MAX_DECODED = 3  # times that a name may be percent-encoded
_ATTRIBUTE = re.compile(r'(?<![A-Z0-9_-])([A-Z0-9_-]++)=("[^"]*"|[^,]*)')
_IV = re.compile(r"0[xX][0-9A-Fa-f]{1,32}")
_RANGE = re.compile(r"([0-9]{1,19})@([0-9]{1,19})")
_ORDINARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")  # safe, and nearly all names are so
_ADDED = re.compile(r"[?#].*", re.DOTALL)  # RFC 3986 sections 3.4 and 3.5
_UNSAFE = (
    (re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"), "a control character"),
    (re.compile(r"\A(?:[a-z][a-z0-9+.-]*:|subfile,)", re.IGNORECASE), "a URL"),
    (re.compile(r"\A/"), "an absolute path"),
    (re.compile(r"\\"), "a backslash"),
    (re.compile(r"(?:\A|/)\.\.(?:[/?#]|\Z)"), "a folder above"),
    (re.compile(r"\A\|"), "a command"),
    (re.compile(r"\A\s|(?:\s|\A\.?|/\.?)\Z"), "no file name"),
)


def unsafe(uri: str) -> str | None:
    """Why a URI is not a file in the playlist's folder or below, as written or percent-decoded;
    None where it is safe.

    A scheme is that of RFC 3986 section 3.1, so the colon in ``<sid>_a:b_<utc>.ts`` begins none.
    """
    if _ORDINARY.fullmatch(uri):
        return None
    read = uri
    for _ in range(MAX_DECODED):
        forms = read, _without_dots(read)  # a store is asked for the latter
        if why := next((why for rule, why in _UNSAFE if any(map(rule.search, forms))), None):
            return why
        before, read = read, unquote(read)
        if read == before:
            return None if names(uri) else f"longer than {MAX_NAME} bytes"
    return "a name that is encoded many times"


def names(uri: str) -> tuple[str, ...]:
    """Names, below the playlist's folder, of the file that a safe URI may mean, likeliest first.

    First as it stands, as Agora's names may hold ``%``, ``?`` and ``#``; then percent-decoded; then
    both without query and fragment; then all with accents composed in the other way (Unicode
    Standard Annex 15), as some file systems store names.
    """
    if _ORDINARY.fullmatch(uri):
        return (uri,)
    path = _ADDED.sub("", uri)
    forms = [_without_dots(form) for form in (uri, unquote(uri), path, unquote(path))]
    forms += [normalize(form, one) for form in ("NFC", "NFD") for one in forms]
    return tuple(dict.fromkeys(form for form in forms if _may_be(form)))


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4, for what stays in its folder."""
    return "/".join(part for part in path.split("/") if part != ".")


def _may_be(path: str) -> bool:
    """Short enough for a folder and for a store."""
    parts = [len(part.encode("utf-8", "surrogateescape")) for part in path.split("/")]
    return parts[-1] > 0 and max(parts) <= MAX_NAME and sum(parts) + len(parts) <= MAX_PATH


def quoted(text: str) -> str:
    """The first 80 characters of a text in quotes, without passwords and with control characters
    escaped: fit for a log.
    """
    text = masked(text)
    return repr(text if len(text) <= 80 else text[:80] + "...")


def attributes(value: str) -> dict[str, str]:
    """An attribute list (RFC 8216 section 4.2) by name, without quotes; the rest is skipped."""
    return {k: v.strip(' "') for k, v in _ATTRIBUTE.findall(value)}


class References:
    """Reads EXT-X-KEY and EXT-X-MAP (RFC 8216 sections 4.3.2.4 and 4.3.2.5) in their order; ``key``
    and ``init`` are those of the next segment.
    """

    def __init__(self) -> None:
        self.key: Key | None = None
        self.init: InitSection | None = None

    def read(self, tag: str, value: str) -> Iterator[Finding]:
        """Take one EXT-X-KEY or EXT-X-MAP and yield what is wrong with it; a generator."""
        if tag == "#EXT-X-KEY":
            yield from self._key(attributes(value))
        else:
            yield from self._map(attributes(value))

    def _key(self, attributes: Mapping[str, str]) -> Iterator[Finding]:
        """RFC 8216 section 4.3.2.4: it holds for all that follows, until the next one."""
        method = attributes.get("METHOD", "no METHOD")
        uri, iv = attributes.get("URI", ""), attributes.get("IV", "")
        why = unsafe(uri) if "URI" in attributes else None
        self.key = None
        if method == "NONE":
            if why:
                yield _unsafe_uri(Severity.FATAL, "#EXT-X-KEY", why, uri)
            return
        scheme = attributes.get("KEYFORMAT", "identity")
        if method != "AES-128" or scheme != "identity":
            if scheme != "identity":
                method += f" of {scheme}"
            detail = f"encrypted with {quoted(method)[1:-1]}: only AES-128 can be decrypted"
            yield Finding("PL_KEY", Severity.FATAL, detail=detail)
        elif iv and not _IV.fullmatch(iv):
            detail = f"IV {quoted(iv)}, expected 0x and up to 32 hexadecimal digits"
            yield Finding("PL_KEY", Severity.FATAL, detail=detail)
        elif why or "URI" not in attributes:
            yield _unsafe_uri(Severity.WARNING, "#EXT-X-KEY", why or "nothing", uri)
            self.key = Key("", _vector(iv))
        else:
            self.key = Key(uri, _vector(iv))

    def _map(self, attributes: Mapping[str, str]) -> Iterator[Finding]:
        """RFC 8216 section 4.3.2.5; it is encrypted as the segments are, if a key has an IV."""
        uri, part = attributes.get("URI", ""), attributes.get("BYTERANGE")
        self.init = None
        if why := unsafe(uri):
            yield _unsafe_uri(Severity.FATAL, "#EXT-X-MAP", why, uri)
            return
        match = _RANGE.fullmatch(part or "")
        if part is not None and not match:
            detail = f"EXT-X-MAP: BYTERANGE {quoted(part)}, expected <length>@<offset>"
            yield Finding("PL_MAP", Severity.FATAL, detail=detail)
        elif self.key is not None and self.key.iv is None:
            detail = "EXT-X-MAP under a key without IV, which it cannot be decrypted with"
            yield Finding("PL_MAP", Severity.FATAL, detail=detail)
        else:
            span = (int(match[1]), int(match[2])) if match else None
            self.init = InitSection(uri, span, self.key)


def _vector(iv: str) -> bytes | None:
    return int(iv, 16).to_bytes(16, "big") if iv else None


def _unsafe_uri(severity: Severity, tag: str, why: str, uri: str) -> Finding:
    return Finding("PL_UNSAFE_URI", severity, detail=f"{tag} names {why}: {quoted(uri)}")
