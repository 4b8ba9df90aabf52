"""Options in, one call, text or JSON and an exit code out."""
