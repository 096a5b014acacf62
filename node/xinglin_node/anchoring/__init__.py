"""
Carrying checkpoints to the chain, each entry anchored exactly once.

    state     what the chain has of our log, and whether we may sequence at all
    anchors   deciding on a checkpoint, sending it, seeing it mined
    outbox    other transactions that must reach the chain
    delivery  the same bytes again, until a block has them
    worker    the two threads that do all of it, and follow the chain

Exactly once rests on the contract, not on luck: an anchor names the one before it, so of
two transactions with the same checkpoint the second reverts. The rows make it happen at
all: a checkpoint is decided, written, signed, written again, and only then sent.
"""
