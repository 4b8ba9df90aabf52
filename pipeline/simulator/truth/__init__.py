"""What was lost, and how much of that playlist and slices can show."""
