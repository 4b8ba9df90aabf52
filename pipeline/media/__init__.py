"""Pure: bytes in, values out.  No clock, no disk, no network."""
