"""Both sides compared: what the segments held, what the MP4 holds."""
