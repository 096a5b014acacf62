"""
Talking to a chain: several RPC nodes as one, the four contracts, and one sender an account.

    pool = RpcPool(profile)
    view = pool.final_view()                      # number, hash and time of a final block
    registry = Checkpoints(pool)
    size = registry.latest_size(member, generation, at=view)

Nothing here asks which engine runs: what differs is a `NetworkProfile`.
"""
