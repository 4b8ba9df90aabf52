"""Transport streams (ISO/IEC 13818-1): packets, tables, PES, the scan of a segment, a writer."""
