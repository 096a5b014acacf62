"""
The institution's append-only log: appended, proven, served.

    writer     the one thread that writes; gives positions, one sync a batch
    unit       what a unit of work may do while the writer runs it
    batch      the units of one transaction, and storing what they add
    histories  which tag of each subject's history comes next, in memory
    tree       the Merkle tree's right edge in memory, and proofs from stored tiles
    tables     entries, tiles, disclosures, histories
    repository reading them back
    service    receipts, checkpoints, states
    endpoints  C2SP tlog-tiles

Other parts append inside their own unit of work:

    def work(write: Write) -> Sequenced:
        write.session.add(SomeRow(...))            # same transaction, same sync
        return write.append(PendingEntry(attestation=..., salt=..., kind="access", subject=s))

    sequenced = await node.writer.write(work)      # returns once it is on disk
"""
