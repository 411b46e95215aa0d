"""Why nobody is let in by an identity provider.

OidcError
├── ProviderAway    it does not answer, or not as its own documents and the standard have it
└── NotBelieved     what came back is not its word for this browser, now
"""

from __future__ import annotations


class OidcError(Exception):
    """Anything this package raises on purpose; *why* is a word of ours and quotes nothing."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ProviderAway(OidcError):
    """Nobody can be asked now; the mailed link is still there."""


class NotBelieved(OidcError):
    """An answer that may be somebody else's, of another time, or made up."""
