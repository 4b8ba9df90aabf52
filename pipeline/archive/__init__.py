"""The archive: BagIt bags with PREMIS events, written, checked, repaired and exported."""
