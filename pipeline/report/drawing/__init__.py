"""The drawings of a page, and the same in numbers: each a pure function from facts."""
