"""What a playlist names besides segments, and which names are safe."""

import pytest

from pipeline.media.playlist.tags import References, names, quoted, unsafe
from pipeline.model import InitSection, Key, Severity

IV = "0x" + "0" * 31 + "1"
ONE = bytes(15) + b"\1"


def read(*tags):
    """What was read of these tags, and the findings."""
    found = References()
    said = [f for tag, value in tags for f in found.read(f"#EXT-X-{tag}", value)]
    return found, [(f.id, f.severity) for f in said]


@pytest.mark.parametrize(
    "name",
    [
        "a.ts",
        "a b.ts",
        "sid_a:b_20260302090002120.ts",
        "\u00e9.ts",
        "a%20b.ts",
        "x" * 255,
        "hls/a.ts",
        "./a.ts",
        "a/./b..c/d.ts",
        "x%2Fa.ts",
        "50%2525.ts",
        "a.ts?token=ab%2Fc&to=http://x/y#t=1",
        "a.ts?" + "x" * 2000,
    ],
)
def test_safe_names(name):
    assert unsafe(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("http://x/a.ts", "a URL"),
        ("data:,x", "a URL"),
        ("subfile,,start,0,,:a", "a URL"),
        ("a%3A%2F%2Fb", "a URL"),
        ("/etc/passwd", "an absolute path"),
        ("//host/a.ts", "an absolute path"),
        ("%2Fa.ts", "an absolute path"),
        (".//etc/passwd", "an absolute path"),
        ("%2e//etc/passwd", "an absolute path"),
        ("./http://x/a.ts", "a URL"),
        ("./|rm", "a command"),
        ("../a.ts", "a folder above"),
        ("..%2Fa.ts", "a folder above"),
        ("a/%2e%2E/b.ts", "a folder above"),
        ("%252e%252e/b.ts", "a folder above"),
        ("%2525252e./b.ts", "a name that is encoded many times"),
        ("a/..", "a folder above"),
        ("..?x", "a folder above"),
        ("..#x", "a folder above"),
        ("a.ts?x=/../b", "a folder above"),
        ("a\\b", "a backslash"),
        ("a%5Cb", "a backslash"),
        ("|rm", "a command"),
        ("", "no file name"),
        ("..", "a folder above"),
        (".", "no file name"),
        ("a/", "no file name"),
        ("a/.", "no file name"),
        (" a", "no file name"),
        ("a\x1bb", "a control character"),
        ("a%0Ab", "a control character"),
        ("a%2500b", "a control character"),
        ("x" * 256, "longer than 255 bytes"),
        ("a/" * 600 + "a", "longer than 255 bytes"),
    ],
)
def test_unsafe_names(name, why):
    assert unsafe(name) == why


@pytest.mark.parametrize(
    ("uri", "files"),
    [
        pytest.param("a.ts", ("a.ts",), id="plain"),
        pytest.param("./b/./a.ts", ("b/a.ts",), id="dots"),
        pytest.param("a%20b.ts", ("a%20b.ts", "a b.ts"), id="percent-encoded, or called so"),
        pytest.param("a.ts?t=1", ("a.ts?t=1", "a.ts"), id="a query, or called so"),
        pytest.param("a%23.ts#t", ("a%23.ts#t", "a#.ts#t", "a%23.ts", "a#.ts"), id="both"),
        pytest.param("a.ts?" + "x" * 300, ("a.ts",), id="a query longer than a name can be"),
        pytest.param("b/?t=1", ("b/?t=1",), id="never a folder"),
    ],
)
def test_what_a_name_may_stand_for(uri, files):
    """Agora's names may hold a percent sign, a question mark and a hash: to the letter first."""
    assert unsafe(uri) is None
    assert names(uri) == files


def test_what_goes_into_a_log_is_short_and_has_no_control_characters():
    assert quoted("a\x1b[31m") == "'a\\x1b[31m'"
    assert len(quoted("x" * 1000)) == 85


@pytest.mark.parametrize(
    ("value", "key"),
    [
        pytest.param("METHOD=NONE", None, id="none"),
        pytest.param('METHOD=AES-128,URI="k.key"', Key("k.key"), id="no IV"),
        pytest.param(f'METHOD=AES-128,URI="k.key",IV={IV}', Key("k.key", ONE), id="IV"),
        pytest.param('METHOD=AES-128,URI="k",IV=0X1', Key("k", ONE), id="a short IV"),
        pytest.param(
            'METHOD=AES-128,URI="k,b",KEYFORMAT="identity"', Key("k,b"), id="a comma in quotes"
        ),
    ],
)
def test_a_key(value, key):
    found, said = read(("KEY", value))
    assert (found.key, said) == (key, [])


@pytest.mark.parametrize(
    ("value", "id", "severity"),
    [
        ('METHOD=SAMPLE-AES,URI="k"', "PL_KEY", Severity.FATAL),
        ('URI="k"', "PL_KEY", Severity.FATAL),
        ('METHOD=AES-128,URI="k",KEYFORMAT="com.widevine"', "PL_KEY", Severity.FATAL),
        ('METHOD=AES-128,URI="k",IV=0xzz', "PL_KEY", Severity.FATAL),
        ('METHOD=AES-128,URI="https://x/k"', "PL_UNSAFE_URI", Severity.WARNING),
        ("METHOD=AES-128", "PL_UNSAFE_URI", Severity.WARNING),
        ('METHOD=NONE,URI="../k"', "PL_UNSAFE_URI", Severity.FATAL),
    ],
)
def test_a_key_that_is_none(value, id, severity):
    found, said = read(("KEY", value))
    assert said == [(id, severity)]
    named = found.key is not None  # one that is fetched from nowhere may be given
    assert named == (severity is Severity.WARNING)
    assert not named or found.key.name == ""


def test_a_key_holds_until_the_next_one():
    found, _ = read(("KEY", 'METHOD=AES-128,URI="a"'), ("KEY", 'METHOD=AES-128,URI="b"'))
    assert found.key == Key("b")
    found, _ = read(("KEY", 'METHOD=AES-128,URI="a"'), ("KEY", "METHOD=NONE"))
    assert found.key is None


def test_an_initialisation_section():
    found, said = read(("MAP", 'URI="init.mp4",BYTERANGE="100@20"'))
    assert (found.init, said) == (InitSection("init.mp4", (100, 20)), [])
    key = Key("k", ONE)
    found, said = read(("KEY", 'METHOD=AES-128,URI="k",IV=0x1'), ("MAP", 'URI="i.mp4"'))
    assert (found.init, said) == (InitSection("i.mp4", None, key), [])


@pytest.mark.parametrize(
    ("tags", "id"),
    [
        ([("MAP", 'URI="/etc/passwd"')], "PL_UNSAFE_URI"),
        ([("MAP", "")], "PL_UNSAFE_URI"),
        ([("MAP", 'URI="i.mp4",BYTERANGE="100"')], "PL_MAP"),
        ([("MAP", 'URI="i.mp4",BYTERANGE="99999999999999999999@0"')], "PL_MAP"),
        ([("KEY", 'METHOD=AES-128,URI="k"'), ("MAP", 'URI="i.mp4"')], "PL_MAP"),
    ],
)
def test_an_initialisation_section_that_is_none(tags, id):
    found, said = read(*tags)
    assert said == [(id, Severity.FATAL)]
    assert found.init is None
