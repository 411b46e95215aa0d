"""What needs no row is signed instead: form stamps, session cookies, CSRF tokens."""

from __future__ import annotations

import hashlib

from itsdangerous import URLSafeSerializer

from gateway.keyfiles.keyring import Keyring


def serializer(keyring: Keyring, salt: str) -> URLSafeSerializer:
    """Sign and check values of one kind; *salt* keeps the kinds apart."""
    # itsdangerous defaults to HMAC-SHA-1 and a key derivation of its own.
    return URLSafeSerializer(
        [key.reveal() for key in keyring.web.live.values()],
        salt=salt,
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
