"""
The models that this node can run, and what the network says of each.

Methods come through the entry point group `xinglin.methods`: a factory without arguments
that returns an object with `manifest`, `parameters`, `code`, `runtime`, and that is called
with a text and gives spans. The node imports none of them, and hands them no key.
"""
