"""
How a node knows who is calling: EIP-4361, then a short credential (docs/spec/sessions.md).

A credential carries the appointment itself, or a file number, so the node keeps no list
of persons; whether it still holds is asked at every request (`xinglin_node.authority`).
"""
