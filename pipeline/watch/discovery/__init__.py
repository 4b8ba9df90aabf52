"""What is new in a store, and which recordings are ready to be converted."""
