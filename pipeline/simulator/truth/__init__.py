"""What was lost, and what of it a playlist and its slices can tell."""
