"""What ``recpipe clean`` prints, in text and in JSON."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.cli import output

if TYPE_CHECKING:
    from pipeline.retention.apply import Done
    from pipeline.retention.document import Candidate
    from pipeline.retention.survey import Kept, Later, Survey
    from pipeline.storage import Storage


def runs(storage: "Storage", chosen: Mapping[str, Any], days: int | None) -> None:
    """Print what is in the trash.  ``days``: how long it is kept, to say when it may go."""
    from pipeline.archive.premis import moment
    from pipeline.report.words import in_bytes
    from pipeline.retention import trash
    from pipeline.storage.names import printable

    for one in trash.contents(storage):
        due = None if days is None else moment(one.since + days * 86400)
        told = {"run": one.run, "since": moment(one.since), "recordings": list(one.recordings)}
        if chosen["json"]:
            output.say_json({**told, "objects": one.objects, "bytes": one.size, "purge_from": due})
            continue
        until = f", purge from {due}" if due else ""
        count = f"{len(one.recordings)} recordings, {one.objects} objects, {in_bytes(one.size)}"
        names = "".join(f"\n  {printable(name)}" for name in one.recordings)
        output.say_listing(f"{one.run}  {count}, since {moment(one.since)}{until}{names}")


def planned(one: "Kept | Later | Candidate", chosen: Mapping[str, Any]) -> None:
    """Print what is planned for a recording."""
    from pipeline.report.words import in_bytes
    from pipeline.retention.document import Candidate
    from pipeline.retention.survey import Kept
    from pipeline.storage.names import printable

    if isinstance(one, Kept):
        told: dict[str, Any] = {"action": "keep", "reason": one.reason}
    elif isinstance(one, Candidate):
        size = sum(o.size for o in one.objects)
        told = {"action": "delete", "reason": one.reason, "objects": len(one.objects), "size": size}
    else:
        told = {"action": "later", "reason": one.reason, "objects": one.objects, "size": one.size}
    if chosen["json"]:
        output.say_json({"recording": one.recording, **told})
    elif told["action"] == "delete" and not chosen["quiet"]:
        text = f"delete  {one.recording}  {in_bytes(told['size'])}  {one.reason}"
        output.say_listing(printable(text))


def telling(
    chosen: Mapping[str, Any], counted: Callable[[], None]
) -> "Callable[[Kept | Later | Candidate], None]":
    """Prints what is planned for each recording, and has it counted."""

    def tell(one: "Kept | Later | Candidate") -> None:
        planned(one, chosen)
        counted()

    return tell


def survey(made: "Survey", chosen: Mapping[str, Any]) -> None:
    """Print the sums of a plan."""
    from pipeline.report.words import in_bytes

    if chosen["json"] or chosen["quiet"]:
        return
    seen = made.seen
    size = in_bytes(made.size)
    lines = [f"{made.recordings} recordings, {made.objects} objects, {size} may go"]
    lines += _left(made)
    lines += [f"  kept {count}: {reason}" for reason, count in sorted(made.kept.items())]
    lines += [f"  {made.gone} have nothing left in the source"] if made.gone else []
    lines.append(f"  {seen.unknown} of {seen.objects} objects are in no receipt: never touched")
    if made.leftovers:
        lines.append(f"  {made.leftovers} leftovers of our own")
    if made.recordings or made.leftovers:
        lines.append(f"  nothing was deleted; recpipe clean apply {chosen['output']}")
    output.say("\n".join(lines))


def _left(made: "Survey") -> "Iterator[str]":
    """The line about what the limits of this plan left for the next one."""
    from pipeline.report.words import in_bytes

    if made.later:
        objects, size = (sum(getattr(o, name) for o in made.later) for name in ("objects", "size"))
        said = f"{len(made.later)} recordings, {objects} objects, {in_bytes(size)}"
        yield f"  left for the next run: {said} ({made.later[0].reason})"


def done(done: "Done", run: str, chosen: Mapping[str, Any]) -> int:
    """Print what became of a recording; returns 1 if it is a problem, else 0."""
    from msgspec import to_builtins

    from pipeline.storage.names import printable

    if chosen["json"]:
        output.say_json({**to_builtins(done), "run": run})
    if done.problem is not None:
        output.say(printable(f"left alone {done.recording}: {done.problem}"))
    elif not (chosen["quiet"] or chosen["json"]):
        text = f"{done.action:<9} {done.recording}: {done.objects} objects, {done.size} bytes"
        output.say(printable(f"{text}; run {run}"))
    return int(done.problem is not None)
