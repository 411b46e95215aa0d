"""What needs no row is signed instead: form stamps, session cookies, CSRF tokens."""

from __future__ import annotations

import hashlib
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from gateway.keyfiles.keyring import Keyring
from storage.errors import KeyringBehind
from storage.keysets import KeySet


class _Serializer(URLSafeSerializer):
    """Made for one request: keys follow each other while we run."""

    def __init__(self, keys: KeySet, salt: str) -> None:
        older = [secret.reveal() for kid, secret in keys.live.items() if kid != keys.kid]
        super().__init__(
            [*older, keys.secret.reveal()],  # the last one signs
            salt=salt,
            # itsdangerous defaults to HMAC-SHA-1 and a key derivation of its own.
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )
        self._keys = keys

    def loads(self, *said: Any, **more: Any) -> Any:
        """Raises `KeyringBehind` where another node may have signed it by a key that we lack."""
        # A cookie may have any bytes; of half a character the library makes an error of its own.
        if not all(one.isascii() for one in said):
            raise BadSignature("not of its letters")
        try:
            return super().loads(*said, **more)
        except BadSignature:
            if self._keys.is_behind:
                raise KeyringBehind from None
            raise


def serializer(keyring: Keyring, salt: str) -> URLSafeSerializer:
    """Sign and check values of one kind; *salt* keeps the kinds apart."""
    return _Serializer(keyring.web, salt)
