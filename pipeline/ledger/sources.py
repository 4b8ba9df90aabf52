"""The name under which the ledger keeps the source of a recording."""

from pipeline.agora import names


def identity(playlist: str) -> tuple[str, str | None]:
    """The source of a recording and its sid, from the URL of any of its playlists.

    The same for all parts: folder and sid.  For a playlist that is not Agora's, its URL and None.
    """
    folder, slash, name = playlist.rpartition("/")
    agora = names.parse_playlist_name(name) or names.parse_session_name(name)
    if agora is None:
        return playlist, None
    return folder + slash + names.one_recording(agora.sid, agora.cname), agora.sid
