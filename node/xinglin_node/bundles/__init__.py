"""
Bundles: all that is needed to verify one entry offline, in one file (FORMATS 5).

    service     who may have which entry's bundle
    contents    the entry, what opens it, and the parts that its statement leans on
    evidence    the chain's word for it: headers and proofs of state

A bundle is built from what the node has and from what the chain's contracts store today;
whoever gets it believes neither, and checks it with `xinglin.verify`.
"""
