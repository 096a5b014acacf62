"""
Who saw what, for which purpose: a subject's list, told so that it can be checked.

The list comes with the counter of every tag, so that `xinglin.history.verify_whole` can
find whether an entry was dropped. Names of care staff are shown; a researcher's is not,
only institution, role, project and purpose (DESIGN 3.6).
"""
