"""
How a data key leaves this node, and what is written before it does (docs/spec/access.md).

    service     the twelve steps, numbered
    decision    which items a ground lets out, and the term that keeps in each other one
    facts       what the chain says at one final view
    repository  requests, releases and the records they are about
"""
