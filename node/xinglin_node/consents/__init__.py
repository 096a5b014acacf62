"""
Grants that were deposited here, given or witnessed, and the stop list (docs/spec/access.md).

The chain has a digest, times and an end; the terms are here. A grant whose terms were not
deposited releases nothing.
"""
