"""PREMIS 3.0 (Library of Congress) as XML: objects, events and agents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from msgspec import Struct

from pipeline.archive.bagit.bag import Digests
from pipeline.storage.names import printable

NAMESPACE = "http://www.loc.gov/premis/v3"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_LOCATION = f"{NAMESPACE} https://www.loc.gov/standards/premis/premis.xsd"
_ALGORITHMS = {"sha256": "SHA-256", "sha512": "SHA-512"}


class File(Struct, frozen=True):
    """One file (PREMIS object of category file)."""

    path: str  # in the package: its identifier
    digests: Digests | None
    format: str  # media type
    original: str | None = None  # its name before
    source_of: tuple[str, ...] = ()  # paths of the files that were made of it


class Agent(Struct, frozen=True):
    """Who or what acted.  ``kind`` (agentType): software, hardware, organization or person."""

    name: str
    version: str | None = None
    kind: str = "software"


class Event(Struct, frozen=True):
    """One thing that happened; ``type`` is a word of the Library of Congress's event types."""

    type: str
    when: float  # seconds since the epoch
    outcome: str
    agents: tuple[Agent, ...]
    files: tuple[str, ...] = ()  # paths in the package
    detail: str = ""
    note: str = ""


def moment(seconds: float) -> str:
    """Seconds since the epoch as PREMIS writes a time: ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def document(files: Sequence[File], events: Sequence[Event]) -> bytes:
    """The XML document: files, then events, then every agent once."""
    ET.register_namespace("premis", NAMESPACE)
    root = ET.Element(_name("premis"), {"version": "3.0", f"{{{_XSI}}}schemaLocation": _LOCATION})
    for file in files:
        _file(root, file)
    for number, event in enumerate(events, 1):
        _event(root, event, number)
    for agent in dict.fromkeys(agent for event in events for agent in event.agents):
        _agent(root, agent)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def without(
    text: bytes,
    gone: Callable[[str], bool],
    *,
    digests: Mapping[str, Digests],
    events: Sequence[Event] = (),
    deletion: Event | None = None,
) -> bytes:
    """A document without the files whose path or name is ``gone``, and without words that are.

    ``digests`` are those of files that were rewritten, by path; ``events`` stand for those of
    the same type; ``deletion`` is added unless it is there.  Raises ``ValueError`` for other bytes.
    """
    ET.register_namespace("premis", NAMESPACE)
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(f"no XML: {error}") from error
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _NAMING and any(gone(one.text or "") for one in _identifying(child)):
                parent.remove(child)
    for entry in root.iter(_name("object")):
        _digested(entry, digests)
    told = {event.type: event for event in events}
    for entry in root.iter(_name("event")):
        _told_again(entry, told.get(entry.findtext(_name("eventType")) or ""))
    if deletion is not None:
        _append(root, deletion)
    for one in root.iter():
        if gone(one.text or ""):
            one.text = "erased"
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _identifying(entry: ET.Element) -> Iterator[ET.Element]:
    """What names the file that an object is, or a link leads to."""
    for name in ("objectIdentifier", "relatedObjectIdentifier", "linkingObjectIdentifier"):
        for found in entry.iter(_name(name)):
            if entry.tag != _name("object") or name == "objectIdentifier":
                yield from found.iter(_name(f"{name}Value"))


def _digested(entry: ET.Element, digests: Mapping[str, Digests]) -> None:
    made = digests.get(entry.findtext(f".//{_name('objectIdentifierValue')}") or "")
    about = entry.find(_name("objectCharacteristics"))
    if made is None or about is None:
        return
    for fixity in about.iter(_name("fixity")):
        known_as = fixity.findtext(_name("messageDigestAlgorithm"))
        for algorithm, name in _ALGORITHMS.items():
            if name == known_as:
                _replace(fixity, "messageDigest", made.of(algorithm))
    _replace(about, "size", str(made.size))


def _told_again(entry: ET.Element, event: Event | None) -> None:
    if event is None:
        return
    _replace(entry, "eventDateTime", moment(event.when))
    for outcome in entry.findall(_name("eventOutcomeInformation")):
        outcome.clear()
        _outcome(outcome, event)


def _replace(parent: ET.Element, name: str, text: str) -> None:
    found = parent.find(_name(name))
    if found is not None:
        found.text = printable(text)


def _append(root: ET.Element, event: Event) -> None:
    """Add an event behind the others, with its agents."""
    said = [one.text for one in root.iter(_name("eventDetail"))]
    if event.detail in said:
        return
    agents = [one for one in root if one.tag == _name("agent")]
    known = {one.findtext(f".//{_name('agentIdentifierValue')}") for one in agents}
    for one in agents:
        root.remove(one)
    _event(root, event, len(root.findall(_name("event"))) + 1)
    root.extend(agents)
    for agent in event.agents:
        if _id(agent) not in known:
            _agent(root, agent)


def _file(root: ET.Element, file: File) -> None:
    entry = ET.SubElement(root, _name("object"), {f"{{{_XSI}}}type": "premis:file"})
    _identifier(entry, "object", "path", file.path)
    about = ET.SubElement(entry, _name("objectCharacteristics"))
    if file.digests is not None:
        for algorithm, known_as in _ALGORITHMS.items():
            if not file.digests.of(algorithm):
                continue
            fixity = ET.SubElement(about, _name("fixity"))
            _say(fixity, "messageDigestAlgorithm", known_as)
            _say(fixity, "messageDigest", file.digests.of(algorithm))
        _say(about, "size", str(file.digests.size))
    designation = ET.SubElement(ET.SubElement(about, _name("format")), _name("formatDesignation"))
    _say(designation, "formatName", file.format)
    if file.original is not None:
        _say(entry, "originalName", file.original)
    for made in file.source_of:
        relation = ET.SubElement(entry, _name("relationship"))
        _say(relation, "relationshipType", "derivation")
        _say(relation, "relationshipSubType", "is source of")
        related = ET.SubElement(relation, _name("relatedObjectIdentifier"))
        _say(related, "relatedObjectIdentifierType", "path")
        _say(related, "relatedObjectIdentifierValue", made)


def _event(root: ET.Element, event: Event, number: int) -> None:
    entry = ET.SubElement(root, _name("event"))
    _identifier(entry, "event", "local", str(number))
    _say(entry, "eventType", event.type)
    _say(entry, "eventDateTime", moment(event.when))
    if event.detail:
        detail = ET.SubElement(entry, _name("eventDetailInformation"))
        _say(detail, "eventDetail", event.detail)
    _outcome(ET.SubElement(entry, _name("eventOutcomeInformation")), event)
    for agent in event.agents:
        _identifier(entry, "linkingAgent", "local", _id(agent))
    for path in event.files:
        _identifier(entry, "linkingObject", "path", path)


def _outcome(outcome: ET.Element, event: Event) -> None:
    _say(outcome, "eventOutcome", event.outcome)
    if event.note:
        told = ET.SubElement(outcome, _name("eventOutcomeDetail"))
        _say(told, "eventOutcomeDetailNote", event.note)


def _agent(root: ET.Element, agent: Agent) -> None:
    entry = ET.SubElement(root, _name("agent"))
    _identifier(entry, "agent", "local", _id(agent))
    _say(entry, "agentName", agent.name)
    _say(entry, "agentType", agent.kind)
    if agent.version is not None:
        _say(entry, "agentVersion", agent.version)


def _id(agent: Agent) -> str:
    return f"{agent.name} {agent.version}" if agent.version else agent.name


def _identifier(parent: ET.Element, what: str, kind: str, value: str) -> None:
    entry = ET.SubElement(parent, _name(f"{what}Identifier"))
    _say(entry, f"{what}IdentifierType", kind)
    _say(entry, f"{what}IdentifierValue", value)


def _say(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, _name(name)).text = printable(text)  # XML knows no control characters


def _name(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


_NAMING = {*map(_name, ("object", "relationship", "linkingObjectIdentifier"))}


FORMATS: Mapping[str, str] = {
    "m3u8": "application/vnd.apple.mpegurl",
    "ts": "video/mp2t",
    "mp4": "video/mp4",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "aac": "audio/aac",
    "webm": "video/webm",
    "json": "application/json",
    "vtt": "text/vtt",
    "xml": "application/xml",
    "log": "text/plain",
}
"""Names of formats by suffix: media types."""


def format_of(path: str) -> str:
    """The media type of a file by its suffix."""
    return FORMATS.get(path.rpartition(".")[2].lower(), "application/octet-stream")
