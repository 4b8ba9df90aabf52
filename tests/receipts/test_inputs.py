"""Whether the same inputs are there, or the same and others."""

import pytest
from msgspec.structs import replace

from pipeline.receipts.inputs import only_more_inputs, same_inputs
from tests.receipts.notes import LIST, MORE, ONE, TWO, made


def at(found, **changed):
    """The same object with something changed."""
    return replace(found, **changed)


@pytest.mark.parametrize(
    ("now", "same", "only_more"),
    [
        pytest.param([LIST, ONE, TWO], True, True, id="the same"),
        pytest.param([TWO, LIST, ONE], True, True, id="in another order"),
        pytest.param(
            [at(o, key=o.key.replace("in/", "")) for o in (LIST, ONE, TWO)],
            True,
            True,
            id="in another folder",
        ),
        pytest.param(
            [at(o, modified=9.0) for o in (LIST, ONE, TWO)], True, True, id="touched in a store"
        ),
        pytest.param([LIST, ONE, TWO, MORE], False, True, id="one more"),
        pytest.param(
            [at(LIST, size=130, etag="x"), ONE, TWO, MORE], False, True, id="the playlist grew"
        ),
        pytest.param([at(LIST, etag="x"), ONE, TWO], False, True, id="another playlist"),
        pytest.param([ONE, TWO], False, True, id="no playlist"),
        pytest.param([LIST, ONE], False, False, id="one gone"),
        pytest.param([LIST, ONE, MORE], False, False, id="one for another"),
        pytest.param([LIST, ONE, at(TWO, etag="x")], False, False, id="one changed"),
        pytest.param([LIST, ONE, at(TWO, size=21)], False, False, id="one grew"),
        pytest.param([LIST, ONE, at(TWO, key="in/two.ts")], False, False, id="one renamed"),
        pytest.param([], False, False, id="nothing left"),
    ],
)
def test_inputs_now_and_then(now, same, only_more):
    note = made()
    assert same_inputs(note, now) is same
    assert only_more_inputs(note, now) is only_more


@pytest.mark.parametrize("etag", [None, "e1"])
def test_a_store_without_etags_is_judged_by_sizes(etag):
    single = at(ONE, etag=etag)
    assert same_inputs(made(inputs=[single]), [single])
    assert not same_inputs(made(inputs=[single]), [at(single, size=11)])
