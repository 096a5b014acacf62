"""A history is the log's; this subject keeps no table of its own."""

from xinglin_node.log.tables import DisclosureRow, EntryRow, HistoryRow

__all__ = ["DisclosureRow", "EntryRow", "HistoryRow"]
