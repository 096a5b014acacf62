"""Models are the chain's; this subject keeps no table of its own."""

from xinglin_node.chain.tables import ModelRow

__all__ = ["ModelRow"]
