"""Which files are captions, by their names and by the playlist that lists them."""

SUFFIX = ".vtt"
OURS = ".speakers.vtt"  # who spoke when, as this tool writes it beside a result


def is_caption(name: str) -> bool:
    """Whether a file is called like captions, and is none that this tool wrote."""
    lower = name.lower()
    return lower.endswith(SUFFIX) and not lower.endswith(OURS)


def lists_captions(playlist: bytes) -> bool:
    """Whether a playlist (RFC 8216) lists WebVTT files and nothing else."""
    lines = [line.strip() for line in playlist.splitlines()]
    uris = [line for line in lines if line and not line.startswith(b"#")]
    return bool(uris) and all(uri.lower().endswith(SUFFIX.encode()) for uri in uris)
