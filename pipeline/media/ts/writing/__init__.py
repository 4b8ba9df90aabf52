"""Transport streams written: as a whole, by the packet, or a segment with parts of it replaced."""
