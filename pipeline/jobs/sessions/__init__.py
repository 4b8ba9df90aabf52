"""Sessions of individual mode: one file of each user, and what became of all of them."""
