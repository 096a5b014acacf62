"""Bundles are built when they are asked for; this subject keeps no table of its own."""

from xinglin_node.log.tables import DisclosureRow, EntryRow

__all__ = ["DisclosureRow", "EntryRow"]
