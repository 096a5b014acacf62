"""
What a hospital runs: an append-only log, sealed blobs, consent and release.

`xinglin_node.app.create_app(settings)` wires one node together, and
`xinglin node init` and `xinglin node serve` make and run one. The node stands on the
library `xinglin` for every format and every proof, and has no second opinion about them.
"""
