"""Which of the recordings that were found are meant, and what is said of the others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.cli import output
from pipeline.cli.chosen import settings
from pipeline.errors import UsageError

if TYPE_CHECKING:  # at run time this would load numpy, also for --help
    from pipeline.jobs.many import Task


def meant(works: "list[Task]", chosen: dict[str, Any]) -> "list[Task]":
    """Those of the users that were asked for, several of one event as one.  UsageError if users are
    asked for and nobody was recorded alone.
    """
    return _of_events(_of_users(works, chosen), chosen)


def _of_users(works: "list[Task]", chosen: dict[str, Any]) -> "list[Task]":
    """Those that ``--uid`` asks for; a line says what is left out, and why.  UsageError if there is
    no session at all.
    """
    from pipeline.jobs.sessions.streams import users_in

    asked = {*chosen["of_uid"]}
    sessions = [work for work in works if users_in(work.recording)]
    if not asked or not works:
        return works
    together = len(works) - len(sessions)
    if not sessions:
        said = f"in all {together} recordings the users are in one file"
        raise UsageError(f"--uid: {said}, and none can be taken alone; leave out --uid")
    found = [work for work in sessions if users_in(work.recording) & asked]
    others = len(sessions) - len(found) if found else 0  # else each says whom it has
    counts = {"with all users in one file": together, "of other users": others}
    left_out = [f"{count} recordings {what}" for what, count in counts.items() if count]
    if left_out and not chosen["quiet"]:
        output.say(f"recpipe: --uid leaves out {' and '.join(left_out)}")
    return found or sessions


def _of_events(works: "list[Task]", chosen: dict[str, Any]) -> "list[Task]":
    """What is to be worked on, where several recordings may be of one event."""
    from pipeline.jobs.events import works_of

    within = chosen["event_within"]
    return works if within is None else works_of(works, within)


def warn_of_strangers(works: Sequence["Task"], chosen: dict[str, Any]) -> None:
    """Names of users who are not there may be those of another call."""
    from pipeline.jobs.sessions.streams import strangers

    if not chosen.get("names"):
        return
    uids = strangers(settings(chosen).people, (work.recording for work in works))
    if uids and works and not chosen["quiet"]:
        said = f"{chosen['names']}: in none of the recordings: {uids}"
        output.say(f"recpipe: warning: {said}")
