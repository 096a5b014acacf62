"""
One reader for each corpus, all to `Document`.

A corpus is looked for below one folder, which the caller names (for tests the shared
one); nothing here is downloaded, and what may not ship is marked where it is read.
"""
