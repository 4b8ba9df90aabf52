"""Of many segments one stream for the muxer, and the units it must come out as."""
