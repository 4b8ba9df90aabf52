"""What the ledger calls the source of a recording."""

from pipeline.agora import names


def identity(playlist: str) -> tuple[str, str | None]:
    """What stays the same of a recording, and its sid, from the URL of any of its playlists."""
    folder, slash, name = playlist.rpartition("/")
    agora = names.parse_playlist_name(name)
    if agora is None:
        return playlist, None
    return folder + slash + names.one_recording(agora.sid, agora.cname), agora.sid
