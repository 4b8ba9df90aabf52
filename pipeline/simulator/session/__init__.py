"""Sessions of individual mode: users who come and go, each with streams of their own."""
