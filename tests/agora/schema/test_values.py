"""Whatever stands in a request file: a clear refusal, or sent exactly as it was given."""

import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora.schema.requests import StartRequest, refuse_unfit
from pipeline.agora.schema.values import masked, parse, secrets, wire
from pipeline.errors import UsageError
from tests.agora.bodies import START, changed


def places(value: dict, before: str = "") -> Iterator[str]:
    """Every dotted place in a body."""
    for key, inner in value.items():
        yield before + key
        if isinstance(inner, dict):
            yield from places(inner, f"{before}{key}.")


simple = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
likely = st.sampled_from([0, 1, 2, 3, 5, 360, "0", "1", "123", "#allstream#", "hls", "mp4", "a"])
anything = st.recursive(
    simple | likely,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def without_nulls(value: object) -> object:
    """Null is not sent."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


def as_sent(body: dict) -> dict:
    """An empty token is none."""
    inner = body["clientRequest"]
    if isinstance(inner, dict) and inner.get("token") == "":
        del inner["token"]
    return without_nulls(body)


def refusal(body: dict) -> str | None:
    """What is said against it."""
    try:
        refuse_unfit(parse(StartRequest, body), "mix")
    except UsageError as error:
        return str(error)
    return None


@given(st.sampled_from([*places(START)]), anything | st.lists(likely, max_size=4))
def test_refused_in_words_or_sent_as_given(place, value):
    body = changed({place: value})
    refused = refusal(body)
    if refused is not None:
        assert refused.isprintable()
        assert "SECRET" not in refused
        return
    request = parse(StartRequest, body)
    sent = json.dumps(wire(request), sort_keys=True)
    assert sent == json.dumps(as_sent(body), sort_keys=True)
    shown = json.dumps(masked(request))
    assert not any(secret in shown for secret in secrets(request) if len(secret) > 8)


@given(anything)
def test_any_object_at_all(value):
    refused = refusal({"clientRequest": value})
    assert "cname: missing" in refused or "JSON" in refused
