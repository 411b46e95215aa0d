"""Finding a person's words in bytes, in whatever form they may have got there."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import quopri
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

_SURE = 8  # characters of base64 that are no coincidence
_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")


@dataclass(frozen=True)
class Hunt:
    """What is looked for: readable forms without regard to case, others as they are."""

    folded: Mapping[bytes, str]
    exact: Mapping[bytes, str]

    @classmethod
    def of(cls, words: Iterable[str], hashed: Iterable[str]) -> Hunt:
        """Look for *words*, and for unkeyed hashes of *hashed*."""
        folded: dict[bytes, str] = {}
        exact: dict[bytes, str] = {}
        for word in words:
            folded |= {form.lower(): f"{word!r} {name}" for name, form in _readable(word)}
            exact |= {form: f"{word!r} {name}" for name, form in _encoded(word)}
        for word in hashed:
            exact |= {form: f"{name} of {word!r}" for name, form in _digests(word)}
        return cls(folded, exact)

    def search(self, where: str, haystack: bytes) -> list[str]:
        """Which forms are in *haystack*."""
        lowered = haystack.lower()
        found = [name for form, name in self.folded.items() if form in lowered]
        found += [name for form, name in self.exact.items() if form in haystack]
        return [f"{where}: {name}" for name in found]


def _readable(word: str) -> Iterator[tuple[str, bytes]]:
    """Forms in which case says nothing."""
    # Bytes are compared in lower case, which changes no letter outside of ASCII.
    cases = {"as it is": word, "case-folded": word.casefold(), "in capitals": word.upper()}
    for case, text in cases.items():
        yield case, text.encode()
        yield f"{case}, JSON", json.dumps(text)[1:-1].encode()
        yield f"{case}, UTF-16 LE", text.encode("utf-16-le")
        yield f"{case}, UTF-16 BE", text.encode("utf-16-be")
        yield f"{case}, in a URL", quote(text, safe="").encode()
        yield f"{case}, in a form", quote_plus(text).encode()
        yield f"{case}, HTML", html.escape(text).encode()
        yield f"{case}, quoted-printable", quopri.encodestring(text.encode())
        yield f"{case}, hex", text.encode().hex().encode()
        yield f"{case}, Latin-1", text.encode("latin-1", "ignore")
        yield f"{case}, reversed", text[::-1].encode()


def _encoded(word: str) -> Iterator[tuple[str, bytes]]:
    """Base64 and base32 at each of the places where a word can begin."""
    for raw in {word.encode(), word.casefold().encode()}:
        for name, encode, bits, places in (
            ("base64", base64.b64encode, 6, 3),
            ("base64url", base64.urlsafe_b64encode, 6, 3),
            ("base32", base64.b32encode, 5, 5),
        ):
            for offset in range(places):
                made = encode(bytes(offset) + raw)
                # Characters that are shared with the neighbours are not the word's own.
                inner = made[-(-offset * 8 // bits) : (offset + len(raw)) * 8 // bits]
                if len(inner) >= _SURE:
                    yield name, inner


def _digests(word: str) -> Iterator[tuple[str, bytes]]:
    spellings = {word, word.casefold(), word.upper(), f"{word}\n", f"mailto:{word}", f"<{word}>"}
    for spelling in spellings:
        for name in _HASHES:
            digest = hashlib.new(name, spelling.encode()).digest()
            yield f"{name}", digest
            yield f"{name}, hex", digest.hex().encode()
            yield f"{name}, HEX", digest.hex().upper().encode()
            yield f"{name}, base64", base64.b64encode(digest).rstrip(b"=")
            yield f"{name}, base64url", base64.urlsafe_b64encode(digest).rstrip(b"=")
            yield f"{name}, its first half", digest[: len(digest) // 2]
            yield f"{name}, its first half, hex", digest[: len(digest) // 2].hex().encode()
