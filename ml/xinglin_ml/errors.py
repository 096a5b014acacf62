"""
What the models refuse, hung below the one tree of the library.

* XinglinError
  + UsageError
    - ConfigurationError        a TOML file that names no experiment we can run
  + InvalidEncoding
    - CorpusError               a line that is not an annotated document
    - ManifestError             a manifest that is not in its one form
  + VerificationError
    - WeightsError              files of a model that are not those of its manifest
"""

from xinglin.errors import InvalidEncoding, UsageError, VerificationError


class ConfigurationError(UsageError):
    """A configuration that lacks a field, has one too many, or asks for what is not there."""


class CorpusError(InvalidEncoding):
    """A line of a corpus that is not an annotated document, or offsets outside its text."""


class ManifestError(InvalidEncoding):
    """A model manifest that does not parse or names no known format."""


class WeightsError(VerificationError):
    """Files of a model that are missing, or differ from the digests in its manifest."""
