"""The stages of one conversion.  Each takes values and returns a value; none imports another, but
all may import ``segments``.
"""
