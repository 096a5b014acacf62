"""
Validators parted by what an operator can do without root: each drops its peers, over its socket.

Both sides are told and hang up, which is kinder than a cable that is pulled.
"""

from dataclasses import dataclass, field
from pathlib import Path

from xinglin._network import clique
from xinglin._network.probe import ask_socket
from xinglin._network.topology import read_topology


@dataclass
class PeerLinks:
    """The links of a network's folder, and who was parted from the others."""

    chain: Path
    _group: set[int] = field(default_factory=set)

    def cut(self, group: set[int]) -> None:
        """Let each side forget the other."""
        self._group = group
        self._tell("admin_removeTrustedPeer", "admin_removePeer")

    def heal(self) -> None:
        """Let each dial the others again."""
        self._tell("admin_addTrustedPeer", "admin_addPeer")
        self._group = set()

    def _tell(self, *methods: str) -> None:
        nodes = read_topology(self.chain)
        for number, node in enumerate(nodes, start=1):
            for other_number, other in enumerate(nodes, start=1):
                if (number in self._group) != (other_number in self._group):
                    for method in methods:
                        ask_socket(self.chain / node.name / clique.SOCKET, method, [other.enode])
