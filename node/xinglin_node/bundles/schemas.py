"""A bundle is answered as its canonical bytes: the file that is kept."""

BUNDLE_MEDIA_TYPE = "application/vnd.xinglin.bundle+json"
"""What a `.xinglin.json` file is served as."""

__all__ = ["BUNDLE_MEDIA_TYPE"]
