"""What is missing between segments that have their place."""
