"""Outputs of inferences are records; this subject keeps no table of its own."""

from xinglin_node.records.tables import RecordRow

__all__ = ["RecordRow"]
