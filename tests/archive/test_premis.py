"""The events are PREMIS 3: every element where the schema has it, every link to something."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.archive.bagit.bag import Digests
from pipeline.archive.premis import Agent, Event, File, document, moment

P = "{http://www.loc.gov/premis/v3}"
# The order of the children and how often each may be there, PREMIS 3.0 data dictionary.
SCHEMA = {
    "premis": "object+ event* agent* rights*",
    "object": "objectIdentifier+ significantProperties* objectCharacteristics+ originalName? "
    "storage* relationship* linkingEventIdentifier* linkingRightsStatementIdentifier*",
    "objectIdentifier": "objectIdentifierType objectIdentifierValue",
    "objectCharacteristics": "compositionLevel? fixity* size? format+",
    "fixity": "messageDigestAlgorithm messageDigest messageDigestOriginator?",
    "format": "formatDesignation? formatRegistry? formatNote*",
    "formatDesignation": "formatName formatVersion?",
    "relationship": "relationshipType relationshipSubType relatedObjectIdentifier* "
    "relatedEventIdentifier*",
    "relatedObjectIdentifier": "relatedObjectIdentifierType relatedObjectIdentifierValue",
    "event": "eventIdentifier eventType eventDateTime eventDetailInformation* "
    "eventOutcomeInformation* linkingAgentIdentifier* linkingObjectIdentifier*",
    "eventIdentifier": "eventIdentifierType eventIdentifierValue",
    "eventDetailInformation": "eventDetail?",
    "eventOutcomeInformation": "eventOutcome? eventOutcomeDetail*",
    "eventOutcomeDetail": "eventOutcomeDetailNote?",
    "linkingAgentIdentifier": "linkingAgentIdentifierType linkingAgentIdentifierValue",
    "linkingObjectIdentifier": "linkingObjectIdentifierType linkingObjectIdentifierValue",
    "agent": "agentIdentifier+ agentName* agentType? agentVersion? agentNote*",
    "agentIdentifier": "agentIdentifierType agentIdentifierValue",
}


def refuse_other_structure(element: ET.Element) -> None:
    """Children in the order and number of the schema; leaves hold text."""
    name = element.tag.removeprefix(P)
    assert element.tag.startswith(P), element.tag
    if name not in SCHEMA:
        assert not len(element), name
        assert (element.text or "").strip(), name
        return
    children = [child.tag.removeprefix(P) for child in element]
    for slot in SCHEMA[name].split():
        wanted, often = slot.rstrip("?*+"), slot[-1]
        count = 0
        while children and children[0] == wanted:
            children.pop(0)
            count += 1
        assert count >= (often not in "?*"), f"{name}: no {wanted}"
        assert count <= 1 or often in "*+", f"{name}: {count} {wanted}"
    assert not children, f"{name}: {children[0]} out of place"
    for child in element:
        refuse_other_structure(child)


def validate(text: bytes) -> ET.Element:
    """A PREMIS 3 document whose links all lead somewhere."""
    root = ET.fromstring(text)
    assert root.get("version") == "3.0"
    refuse_other_structure(root)
    known = {
        kind: {e.text for e in root.iter(f"{P}{kind}IdentifierValue")}
        for kind in ("object", "agent")
    }
    for kind, there in known.items():
        links = {e.text for e in root.iter(f"{P}linking{kind.title()}IdentifierValue")}
        assert links <= there, links - there
    assert {e.text for e in root.iter(f"{P}relatedObjectIdentifierValue")} <= known["object"]
    return root


def test_a_document_has_the_structure_of_the_schema():
    us = Agent("recpipe", "1.0")
    files = [
        File("data/a.mp4", Digests(1, "ab", "cd"), "video/mp4"),
        File("data/b.ts", None, "video/mp2t", "b.ts", ("data/a.mp4",)),
    ]
    events = [
        Event("capture", 0.0, "success", (Agent("Somebody"),), ("data/b.ts",)),
        Event("validation", 1.5, "ok", (us,), ("data/b.ts",), detail="all", note="fine"),
    ]
    root = validate(document(files, events))
    assert [e.text for e in root.iter(f"{P}eventDateTime")] == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:01Z",
    ]
    assert len(list(root.iter(f"{P}agent"))) == 2


def test_names_that_xml_cannot_hold_are_written_as_escapes():
    text = document([File("data/\x1b<&.ts", None, "x", "\udcff")], [])
    assert validate(text).find(f".//{P}objectIdentifierValue").text == "data/\\x1b<&.ts"


def test_the_test_of_the_structure_sees_what_is_wrong():
    text = document([File("a", None, "x")], [Event("capture", 0, "ok", (), ("b",))])
    with pytest.raises(AssertionError, match="b"):
        validate(text)
    with pytest.raises(AssertionError, match="no eventType"):
        validate(text.replace(b"eventType>", b"eventKind>").replace(b">b<", b">a<"))


def test_moments_are_in_utc():
    assert moment(1_790_000_000) == "2026-09-21T14:13:20Z"
