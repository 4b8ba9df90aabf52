"""Segments whose format is not that of the others are brought into line before the plan is made."""
