"""Playlists (RFC 8216), and what Agora adds to them."""
