"""
What the chain said up to its final block, kept in the node's own tables.

    tables   members, accounts, withdrawals, grants, models, checkpoints
    view     the questions that other parts ask, answered at the final view
    indexer  follows the chain, applies final blocks only, steps back when blocks were lost
    outbox   transactions that must reach the chain, one sender for each account

Nobody asks the chain in the middle of a request: a release is decided by the final view in
these tables, whose age is known (I4).
"""
