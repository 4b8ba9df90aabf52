"""What can be wrong with a recording, each fault with what it costs."""
