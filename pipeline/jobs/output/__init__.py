"""Results: what they are made of, what they are called, where they go, and how they get there."""
