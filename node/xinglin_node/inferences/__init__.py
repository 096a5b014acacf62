"""
Running a method over a record, and logging what it was and what it gave (I7).

An inference is two entries: the inference statement, and the record of its output, sealed
like every other record. At intake both stand beside the record that was read, in the same
transaction; for a record that is kept already, an access entry on the ground `system`
comes first.
"""
