"""Elementary streams: codecs and what they say of themselves, NAL units, access units."""
