"""
Sealed records, in: checked, kept, logged, answered with a receipt.

    schemas     what is submitted, and how a batch is framed
    checks      everything about a submission that needs no database
    service     the unit of work: one transaction, many records
    intake      plaintext that the node seals under its system account
    repository  finding records again
    endpoints   the routes
"""
