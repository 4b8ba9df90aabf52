"""The file with a user's own settings, where the command looks for it."""

import os
from pathlib import Path

from pipeline import config


def place() -> Path:
    """In the folder that the test set."""
    return Path(os.environ["XDG_CONFIG_HOME"]) / "recpipe" / config.FILE


def write(text: str) -> Path:
    """Let these be the settings."""
    path = place()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
