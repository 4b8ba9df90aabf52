"""Languages as BCP 47 has them and as an MP4 has them."""

import re

# What Agora transcribes, and its neighbours: ISO 639-1 to ISO 639-2/T.
_TABLE = (
    "ar:ara be:bel bg:bul bn:ben ca:cat cs:ces da:dan de:deu el:ell en:eng es:spa "
    "et:est fa:fas fi:fin fr:fra gu:guj he:heb hi:hin hr:hrv hu:hun id:ind it:ita "
    "ja:jpn kn:kan ko:kor lt:lit lv:lav ml:mal mr:mar ms:msa nb:nob nl:nld no:nor "
    "pa:pan pl:pol pt:por ro:ron ru:rus sk:slk sl:slv sr:srp sv:swe ta:tam te:tel "
    "th:tha tl:tgl tr:tur uk:ukr ur:urd vi:vie zh:zho "
)
_CODES: dict[str, str] = dict(re.findall(r"([a-z]{2}):([a-z]{3})", _TABLE))
_NAMED = re.compile(r"[._-]([a-z]{2,3}[-_][A-Z]{2}|[a-z]{2})(?:_[0-9]+)?$")


def iso639(tag: str) -> str:
    """The ISO 639-2 code of a BCP 47 tag ("en-US"), as an MP4 has it (ISO/IEC 14496-12 clause
    8.4.2.3); empty for one that is not known.
    """
    own = re.split("[-_]", tag.lower())[0]
    return own if len(own) == 3 and own.isascii() else _CODES.get(own, "")


def in_name(stem: str) -> str:
    """The tag that ends the name of a caption file or playlist ("..._en-US"); empty without."""
    match = _NAMED.search(stem)
    return match[1] if match and iso639(match[1]) else ""
