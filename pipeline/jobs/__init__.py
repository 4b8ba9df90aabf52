"""Uses of the stages: one recording, many recordings."""
