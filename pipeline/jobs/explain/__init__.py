"""One recording explained to a person: what became of it, and why."""
