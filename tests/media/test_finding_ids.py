"""One table of finding ids: what is made is in it, what is in it is made, the page shows it."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.media.finding_ids import (
    AT_THE_HEAD,
    AT_THE_TAIL,
    CHANGES,
    CLAIMS,
    IDS,
    UNFINISHED,
    Cost,
    FindingId,
    HoleReason,
    hole_reason,
)
from pipeline.model import Severity

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
TABLE = ROOT / "pipeline" / "media" / "finding_ids.py"
ROOMS = ("media", "stages", "jobs", "watch")  # where findings are made and asked for
MAKERS = {"Finding", "_fatal", "_say", "_apart", "say"}  # calls whose first argument is an id
ID = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
FAMILIES = tuple({id.partition("_")[0] + "_" for id in IDS if "_" in id})

TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for room in ROOMS
    for path in sorted((ROOT / "pipeline" / room).rglob("*.py"))
    if path != TABLE
}


# The package and the table.


def test_what_looks_like_an_id_is_in_the_table():
    """Also one that is only asked for: a comparison with a word that is none is never true."""
    found = {
        f"{path}:{node.lineno}: {text}"
        for path, tree in TREES.items()
        for node, text in words(tree)
        if text.startswith(FAMILIES) and text not in IDS
    }
    assert sorted(found) == []


def test_every_finding_that_is_made_is_in_the_table():
    found = {f"{path}:{call.lineno}: {id}" for path, call, id in made() if id not in IDS}
    assert sorted(found) == []


def test_every_row_of_the_table_is_made_somewhere():
    """A comparison with it makes none; a change of format takes its id from the table."""
    written = {text for tree in TREES.values() for _, text in words(tree, comparisons=False)}
    assert sorted(IDS.keys() - written - set(CHANGES.values())) == []


def test_what_may_lose_media_or_refuse_the_mp4_says_so():
    found = {
        f"{path}:{call.lineno}: {id} is {severity}"
        for path, call, id in made()
        if (severity := severity_of(call)) and severity not in severities(IDS[id])
    }
    assert sorted(found) == []


def test_the_tests_find_what_makes_findings():
    """Else they would hold of nothing."""
    assert len({id for _, _, id in made()}) > len(IDS) / 2
    assert sum(severity_of(call) is not None for _, call, _ in made()) > 50


def words(tree: ast.AST, *, comparisons: bool = True) -> Iterator[tuple[ast.Constant, str]]:
    """Every text in capitals."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if ID.fullmatch(node.value):
                yield node, node.value
        elif comparisons or not isinstance(node, ast.Compare):
            yield from words(node, comparisons=comparisons)


def made() -> Iterator[tuple[str, ast.Call, str]]:
    """Place, call and id wherever a finding is made of an id that stands there."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) in MAKERS:
                named = [word.value for word in node.keywords if word.arg == "id"]
                first = next(iter([*node.args[:1], *named]), None)
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield path, node, first.value


def called(node: ast.Call) -> str:
    return str(getattr(node.func, "id", getattr(node.func, "attr", "")))


def severity_of(call: ast.Call) -> Severity | None:
    """Of a finding whose severity stands there: worth knowing, or worse."""
    if called(call) == "_fatal":
        return Severity.FATAL
    named = (getattr(argument, "attr", "") for argument in call.args)
    told = (Severity[name] for name in named if name in Severity.__members__)
    return next(told, None)


def severities(one: FindingId) -> set[Severity]:
    """Those that its costs allow."""
    harmless = {Severity.INFO, Severity.WARNING}
    fatal = {Severity.FATAL} if Cost.REFUSED in one.costs else set()
    return harmless | fatal | ({Severity.ERROR} if one.costs else set())


# The page.


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def cases() -> dict[str, set[str]]:
    """The severities that the page explains, by id."""
    found: dict[str, set[str]] = defaultdict(set)
    behind = PAGE.partition("\n## Every id\n")[2].partition("\n## ")[2]
    for ids, told in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", behind, re.MULTILINE):
        for id in re.findall(ID, ids):
            found[id] |= {one for one in Severity if one.value in told}
    return found


def row(one: FindingId) -> str:
    costs = ", or ".join(one.costs) or "nothing"
    return f"| `{one.id}` | {one.meaning} | {one.cause} | {costs} |"


def test_the_page_shows_the_table_word_for_word():
    """A row that is lacking there is the one shown here."""
    shown = [line for line in section("Every id").splitlines() if line.startswith("| `")]
    assert shown == [row(one) for one in IDS.values()]


def test_the_page_says_of_every_id_what_to_do():
    assert cases().keys() == IDS.keys()


@pytest.mark.parametrize("one", IDS.values(), ids=IDS)
def test_the_page_explains_what_an_id_can_cost(one):
    told = cases()[one.id]
    assert (Severity.FATAL in told) == (Cost.REFUSED in one.costs)
    assert (Severity.ERROR in told) <= bool(one.costs)
    assert Severity.ERROR in told or not set(one.costs) - {Cost.REFUSED}


def test_rows_of_the_page_have_the_columns_of_their_table():
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


# What the table says of an id.


def test_no_id_stands_there_twice():
    """The later row would take the place of the earlier."""
    source = TABLE.read_text(encoding="utf-8")
    assert len(re.findall(r"FindingId\(\s*\"", source)) == len(IDS)


def test_a_claim_costs_what_the_account_finds_and_a_missing_segment_speaks_for_itself():
    assert "CC" in CLAIMS
    assert "SEG_MISSING" not in CLAIMS


def test_only_a_playlist_says_that_a_recording_is_unfinished():
    assert {"PL_NO_ENDLIST", "PL_TRUNCATED"} == UNFINISHED


def test_an_edge_between_two_segments_concerns_the_end_of_one_and_the_head_of_the_other():
    assert "CC_EDGE" in AT_THE_HEAD & AT_THE_TAIL
    assert "PES_START" in AT_THE_HEAD - AT_THE_TAIL
    assert "SEG_PARTIAL" in AT_THE_TAIL - AT_THE_HEAD


def test_each_kind_of_stream_has_a_finding_for_its_change_of_format():
    assert CHANGES == {"video": "SPS_CHANGE", "audio": "AAC_CHANGE"}


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ({"CC", "SEG_MISSING", "DTS_GAP"}, HoleReason.MISSING),
        ({"DTS_GAP", "PL_GAP", "ES_ABSENT"}, HoleReason.DECLARED),
        ({"CC_EDGE", "DTS_GAP"}, HoleReason.PACKETS),
        ({"PES_SIZE"}, HoleReason.UNKNOWN),
        ({"OF_A_LATER_VERSION"}, HoleReason.UNKNOWN),
        (set(), HoleReason.UNKNOWN),
    ],
)
def test_the_plainest_reason_explains_a_hole(ids, reason):
    assert hole_reason(ids) is reason
