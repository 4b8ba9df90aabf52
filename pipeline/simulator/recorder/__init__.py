"""Recordings as Agora writes them: pictures and sound, slices, playlists, into a store."""
