"""
Sealed blobs: small ones as rows of their entry's transaction, large ones as files or objects.

    store     `Blobs`: receive a stream, keep it, read a range, delete it
    files     large blobs in a folder: temporary file, fsync, rename, fsync of the folder
    objects   large blobs in an S3-compatible service
    tables    which blobs there are, and the small ones

A blob is named by the SHA-256 of its bytes, which are ciphertext.
"""
