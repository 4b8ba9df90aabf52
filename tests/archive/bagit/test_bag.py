"""What RFC 8493 says of the files of a bag."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.bagit import bag
from pipeline.archive.bagit.bag import Digests, Fetch
from pipeline.errors import UsageError

PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda text: text == text.strip() and text.strip()
)
ONE = Digests(3, "ab" * 32, "cd" * 64)


@given(st.dictionaries(PATHS.map("data/{}".format), st.just(ONE), min_size=1))
def test_a_manifest_reads_back_whatever_files_are_called(files):
    text = bag.manifest(files, "sha256")
    assert bag.parse_manifest(text) == dict.fromkeys(files, "ab" * 32)


def test_line_ends_and_percent_signs_are_escaped():
    assert bag.manifest({"data/a\n%0A\r": ONE}, "sha256").endswith(b"data/a%0A%250A%0D\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"zz  data/a\n", id="no digest"),
        pytest.param(b"ab\n", id="no path"),
        pytest.param(b"ab  data/a\ncd  data/a\n", id="a path twice"),
        pytest.param(b"ab  data/\xff\n", id="not UTF-8"),
    ],
)
def test_what_is_no_manifest_is_refused(text):
    with pytest.raises(ValueError, match=r"line|utf-8"):
        bag.parse_manifest(text)


def test_manifests_of_others_are_understood():
    assert bag.parse_manifest(b"AB *data/a b\r\n\r\ncd\tdata/c\r\n") == {
        "data/a b": "ab",
        "data/c": "cd",
    }


def test_the_oxum_counts_bytes_and_files():
    assert bag.oxum([ONE, ONE]) == "6.2"


def test_a_value_of_bag_info_stays_one_line():
    text = bag.info([("Contact-Name", "Zoë\r\nPayload-Oxum: 1.1")])
    assert bag.parse_info(text) == {"Contact-Name": "Zoë Payload-Oxum: 1.1"}


def test_folded_lines_are_one_value():
    assert bag.parse_info(b"A: one\n  two\nB: 3\n") == {"A": "one two", "B": "3"}


@pytest.mark.parametrize("label", ["Payload-Oxum", "payload-oxum", "a:b", "", "x\ny", "Recording"])
def test_labels_that_are_ours_or_none_are_refused(label):
    with pytest.raises(UsageError):
        bag.label(label)


def test_fetch_reads_back():
    entry = Fetch("s3://bucket/a%20b.ts", 7, "data/original/a b%.ts")
    assert bag.parse_fetch(bag.fetch([entry])) == {entry.path: entry}
