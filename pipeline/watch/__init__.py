"""Stores watched over time: every finished recording becomes a proven MP4, once."""
