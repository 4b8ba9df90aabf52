"""A plan becomes a media file."""
