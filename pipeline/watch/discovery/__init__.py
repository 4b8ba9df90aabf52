"""What is new in a store, and which recordings may be converted now."""
