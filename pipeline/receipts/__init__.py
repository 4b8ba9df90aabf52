"""What every result has beside it: written, and read back."""
