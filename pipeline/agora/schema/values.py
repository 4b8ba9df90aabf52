"""What all bodies of requests share, as checked values.  Long: every kind of field is here.

A body is checked before anything is sent, and sent as it was given: what was not set is left out,
an explicit zero stays, and so does a key that is not known here yet.  Keys are those of Agora's
REST reference; in Python the same words in snake case.
"""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import quote, quote_plus

from msgspec import Struct
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from pipeline.errors import UsageError

MASK = "***"
SHOWN = 60  # characters of a wrong value that an error repeats
PROBLEMS = 5  # problems that one error names
NEAR = 0.8  # similarity of two spellings, the ratio of difflib

_SNAKE = {"x_axis", "y_axis", "render_mode", "image_url", "async_stop"}  # as Agora spells them
_SPELLINGS = MappingProxyType(  # the English reference; what the service understands
    {
        "unsubscribeAudioUids": "unSubscribeAudioUids",
        "unsubscribeVideoUids": "unSubscribeVideoUids",
    }
)

HIGHEST_UID = 2**32 - 1

AnyBody = TypeVar("AnyBody", bound="Body")


def _key(name: str) -> str:
    return name if name in _SNAKE else to_camel(name)


def _hidden(value: Any) -> Any:
    """An unknown value may be a secret, and is treated as one."""
    if isinstance(value, str):
        return SecretStr(value)
    if isinstance(value, Mapping):
        return {key: _hidden(item) for key, item in value.items()}
    return [_hidden(item) for item in value] if isinstance(value, list) else value


class Body(BaseModel):
    """A JSON object of a request; keys that are not known here are kept."""

    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_hidden)]] = Field(init=False)

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        strict=True,
        alias_generator=_key,
        validate_by_name=True,
        hide_input_in_errors=True,
    )


class Caution(Struct, frozen=True):
    """A setting that is allowed and probably not meant: its key, and what it leads to."""

    key: str
    detail: str

    def __str__(self) -> str:
        return f"{self.key}: {self.detail}"


def parse(kind: type[AnyBody], data: Mapping[str, Any]) -> AnyBody:
    """A body from JSON values.

    Raises ``UsageError`` with each key that is wrong (:data:`PROBLEMS` at most), and no secret.
    """
    _refuse_what_is_no_json(data)
    respelt = _respelt(dict(data))
    found = list(_slips(kind, respelt))
    try:
        body = kind.model_validate(respelt, by_alias=True, by_name=False)
        if not found:
            return body
    except ValidationError as error:
        found += _problems(error, kind)
    more = f"; and {len(found) - PROBLEMS} more" if len(found) > PROBLEMS else ""
    raise UsageError("; ".join(found[:PROBLEMS]) + more)


def wire(body: Body) -> dict[str, Any]:
    """The JSON values to send, secrets in clear."""
    shown: dict[str, Any] = _revealed(_dump(body), lambda secret: secret.get_secret_value())
    return shown


def masked(body: Body) -> dict[str, Any]:
    """The JSON values to print: secrets are masked, also those inside URLs."""
    shown: dict[str, Any] = _revealed(_dump(body), lambda secret: MASK, address=_plain_address)
    return shown


def secrets(body: Body) -> frozenset[str]:
    """Every secret in a body, so that it can be masked in the answers of others."""
    found: set[str] = set()

    def address(url: str) -> None:
        if not url.startswith(("http://", "https://")):
            found.add(url)

    _revealed(_dump(body), lambda secret: found.add(secret.get_secret_value()), address=address)
    return frozenset(found - {""})


def disguises(secret: str) -> frozenset[str]:
    """A secret in the forms in which an answer may repeat it: as in a URL, in JSON, in base64."""
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    data = secret.encode("utf-8", "surrogatepass")
    encoded = {code(data).decode() for code in (b64encode, urlsafe_b64encode)}
    return frozenset({secret} | quoted | escaped | encoded | {e.rstrip("=") for e in encoded})


def unknown_keys(body: Body) -> Iterator[Caution]:
    """A caution for each key that is sent although it is not known here."""
    for way, value, owner in _unknown(type(body), _dump(body)):
        near = get_close_matches(way[-1], _fields(owner), n=1, cutoff=NEAR)
        hint = f"; did you mean {near[0]}?" if near else ""
        for key in _leaves(way, value):
            yield Caution(".".join(map(_printable, key)), f"unknown key, sent as it is{hint}")


def _dump(body: Body) -> dict[str, Any]:
    return body.model_dump(by_alias=True, exclude_none=True)


def _revealed(value: Any, reveal: Any, *, address: Any = None) -> Any:
    if isinstance(value, SecretStr):
        return reveal(value)
    if isinstance(value, Mapping):
        return {key: _revealed(item, reveal, address=address) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(item, reveal, address=address) for item in value]
    return address(value) if address and isinstance(value, str) and "://" in value else value


def _plain_address(url: str) -> str:
    """Without user, password and query; of an RTMP address the path is a key as well."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https"):
        return f"{scheme}://{MASK}"
    plain, mark, _ = rest.partition("?")
    user, at, host = plain.rpartition("@")
    return f"{scheme}://{MASK + at if user else ''}{host}{mark and mark + MASK}"


def _refuse_what_is_no_json(data: Mapping[str, Any]) -> None:
    """A date of TOML, NaN, half a surrogate pair: nothing that could be sent."""
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise UsageError("request: holds a value that JSON in UTF-8 does not have") from None


def _respelt(value: Any) -> Any:
    if isinstance(value, dict):
        return {_SPELLINGS.get(key, key): _respelt(item) for key, item in value.items()}
    return [_respelt(item) for item in value] if isinstance(value, list) else value


def _unknown(
    kind: type[Body], data: Any, way: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, type[Body]]]:
    """Keys that a body does not have: the way to each, its value, and whose it would be."""
    for key, value in data.items() if isinstance(data, Mapping) else ():
        field = _fields(kind).get(key)
        if field is None:
            yield (*way, key), value, kind
        elif (owner := _body_of(field.annotation)) is not None:
            many = enumerate(value) if isinstance(value, list) else ()
            yield from _unknown(owner, value, (*way, key))
            for number, item in many:
                yield from _unknown(owner, item, (*way, key, str(number)))


def _leaves(way: tuple[str, ...], value: Any) -> Iterator[tuple[str, ...]]:
    if not isinstance(value, Mapping) or not value:
        yield way
        return
    for key, inner in value.items():
        yield from _leaves((*way, key), inner)


def _slips(kind: type[Body], data: Mapping[str, Any]) -> Iterator[str]:
    """Keys that differ from known ones in case alone: Agora adds none of that kind."""
    for way, _, owner in _unknown(kind, data):
        same = [name for name in _fields(owner) if _folded(name) == _folded(way[-1])]
        if same:
            where = ".".join(map(_printable, way))
            yield f"{where}: unknown key; did you mean {same[0]}?"


def _folded(key: str) -> str:
    return key.replace("_", "").lower()


def _fields(kind: type[Body]) -> Mapping[str, Any]:
    return {_key(name): field for name, field in kind.model_fields.items()}


# What is wrong, in words.

_EXPECTED = {
    "missing": "missing",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "string_type": "expected text in quotes",
    "list_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "too_long": "expected at most {max_length} entries",
    "too_short": "expected it not to be empty",
    "string_too_short": "expected it not to be empty",
    "literal_error": "expected {expected}",
}


def _problems(error: ValidationError, kind: type[Body]) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        if "int" in problem["loc"]:  # the first branch of int | float: the other one says it all
            continue
        keys = [key for key in problem["loc"] if key != "float"]
        where = ".".join(_printable(str(key)) for key in keys) or "request"
        yield f"{where}: {_said(problem, keys, kind)}"


def _said(problem: Any, keys: Sequence[int | str], kind: type[Body]) -> str:
    what = problem["type"]
    context = problem.get("ctx", {})
    if what in ("value_error", "assertion_error"):
        expected = str(context["error"])
    else:
        expected = _EXPECTED.get(what, problem["msg"].lower()).format(**context)
    return f"{_shown(problem['input'], keys, kind)}{expected}" if what != "missing" else expected


def _shown(value: Any, keys: Sequence[int | str], kind: type[Body]) -> str:
    """A plain value, unless it stands where a secret belongs."""
    if not isinstance(value, bool | int | float | str) or _is_secret(kind, keys):
        return ""
    text = repr(_plain_address(value) if isinstance(value, str) and "://" in value else value)
    return f"{text}, " if len(text) <= SHOWN else f"{text[:SHOWN]}..., "


def _printable(key: str) -> str:
    """A key that somebody else chose."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in key[:SHOWN])


def _is_secret(kind: type[Body], keys: Sequence[int | str]) -> bool:
    owner: type[Body] | None = kind
    for key in keys:
        if owner is None or isinstance(key, int):
            continue
        field = _fields(owner).get(key)
        if field is None:
            return True  # whatever it is, it is not where it belongs
        annotation = field.annotation
        if SecretStr in _types(annotation):
            return True
        owner = _body_of(annotation)
    return False


def _types(annotation: Any) -> set[Any]:
    inner = get_args(annotation)
    return {annotation}.union(*map(_types, inner)) if inner else {annotation}


def _body_of(annotation: Any) -> type[Body] | None:
    found = (t for t in _types(annotation) if isinstance(t, type) and issubclass(t, Body))
    return next(found, None)


# Kinds of values that several bodies hold.


def uid(text: str) -> str:
    """The text itself.  Raises ``ValueError`` if it is no uid: 1 to 2³²-1, in decimal digits."""
    plain = text.isascii() and text.isdecimal() and text[0] != "0"
    if not plain or len(text) > 10 or int(text) > HIGHEST_UID:
        raise ValueError(f"expected a whole number from 1 to {HIGHEST_UID} in quotes")
    return text


def _web_address(text: str) -> str:
    if not text.startswith(("http://", "https://")) or not text.isprintable() or " " in text:
        raise ValueError("expected an address that begins with http:// or https://")
    return text


Uid = Annotated[str, AfterValidator(uid)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
UpTo1 = Annotated[int, Field(ge=0, le=1)]
UpTo2 = Annotated[int, Field(ge=0, le=2)]
Text = Annotated[str, Field(min_length=1)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Share = Annotated[int | float, Field(ge=0, le=1)]
"""A fraction of the canvas, from 0 to 1; a whole number stays one when it is sent."""
