"""The relay keeps nothing of its own: the stop list stands with the grants."""

from xinglin_node.consents.tables import StopRow

__all__ = ["StopRow"]
