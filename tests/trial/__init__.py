"""Random recordings with random faults, made and judged without one line of the product."""
