"""``<sid>_<cname>.session.json``: who took part, when, and which file is whose."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import to_builtins

from pipeline.jobs.sessions.report import wait
from pipeline.model import Piece, Report
from pipeline.stages.compose import Film, Member

SCHEMA = 1  # of the documents this version writes


def written(session: Report, composed: Mapping[str, Any] | None = None) -> bytes:
    """The document, the same for the same report; ``composed`` says how one file was made of all
    users.
    """
    made = {
        "schema": SCHEMA,
        "session": session.recording,
        "verdict": session.verdict.value,
        "started": session.started,
        "duration": session.duration,
        "users": [_user(session, user) for user in session.users],
        **({"composed": composed} if composed else {}),
    }
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def composed(members: Sequence[Member], film: Film | None) -> dict[str, Any]:
    """Where each user begins in the file of all, and who is where in its picture, by scenes."""
    told: dict[str, Any] = {"begin": {one.uid: one.begin for one in members}}
    if film is None:
        return told
    rate = film.canvas.rate
    scenes = [
        {
            "begin": scene.begin / rate,
            "end": (scene.begin + scene.count) / rate,
            "tiles": [{"uid": uid, **to_builtins(tile)} for uid, tile in scene.tiles],
        }
        for scene in film.scenes
    ]
    return {**told, **to_builtins(film.canvas), "scenes": scenes}


def _user(session: Report, user: Report) -> dict[str, Any]:
    return {
        "uid": user.uid,
        "name": user.name,
        "role": user.role,
        "recording": user.recording,
        "verdict": user.verdict.value,
        "files": [_name(output) for output in _outputs(user)],
        "started": user.started,
        "begin": wait(session, user),
        "duration": user.duration,
        "lost_seconds": dict(user.lost_seconds),
        "tracks": [to_builtins(track) for track in user.tracks],
        "absences": [to_builtins(absence) for absence in user.absences],
        "holes": [to_builtins(hole) for hole in user.holes],
    }


def _outputs(user: Report) -> list[str]:
    pieces: tuple[Piece, ...] = user.pieces
    every = [piece.output for piece in pieces] if pieces else [user.output]
    return [output for output in every if output]


def _name(output: str) -> str:
    return output.rpartition("/")[2]
