"""What is missing, by the account of the media, and what stands in its place."""
