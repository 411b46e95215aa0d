"""Every route of the desk, and which roles it answers with something else than a refusal."""

from __future__ import annotations

from typing import Final

LOOKING: Final = {"dpo", "auditor"}
EVERYBODY: Final = {"dpo", "auditor", "admin"}
# By method and path; None: it is not a session's.
ALLOWED: Final[dict[tuple[str, str], set[str] | None]] = {
    ("GET", "/dpo/"): None,
    ("POST", "/dpo/sign-in"): None,
    ("POST", "/dpo/oidc/start"): None,
    ("GET", "/dpo/oidc"): None,
    ("POST", "/dpo/oidc"): None,
    ("GET", "/dpo/link/{token}"): None,
    ("POST", "/dpo/link/{token}"): None,
    ("POST", "/dpo/leave"): EVERYBODY,
    ("POST", "/dpo/people"): LOOKING,
    ("POST", "/dpo/person"): LOOKING,
    ("POST", "/dpo/proof"): LOOKING,
    ("POST", "/dpo/dossier"): LOOKING,
    ("POST", "/dpo/act"): {"dpo"},
    ("GET", "/dpo/cases"): LOOKING,
    ("GET", "/dpo/cases/decided"): LOOKING,
    ("POST", "/dpo/cases"): {"dpo"},
    ("GET", "/dpo/cases/{id}"): LOOKING,
    ("POST", "/dpo/cases/decide"): {"dpo"},
    ("POST", "/dpo/cases/answer"): {"dpo"},
    ("GET", "/dpo/erasures/{id}"): LOOKING,
    ("GET", "/dpo/log"): EVERYBODY,
    ("POST", "/dpo/log"): EVERYBODY,
    ("GET", "/dpo/wordings"): EVERYBODY,
    ("GET", "/dpo/sent"): EVERYBODY,
    ("POST", "/dpo/sent"): EVERYBODY,
    ("GET", "/dpo/defence"): LOOKING,
    ("POST", "/dpo/defence"): LOOKING,
    ("GET", "/dpo/breach"): {"dpo"},
    ("POST", "/dpo/breach"): {"dpo"},
    ("GET", "/dpo/papers"): EVERYBODY,
    ("GET", "/dpo/papers/{name}"): EVERYBODY,
    ("GET", "/dpo/papers/{name}.pdf"): EVERYBODY,
    ("POST", "/dpo/log/export"): LOOKING,
    ("POST", "/dpo/log/person"): LOOKING,
    ("GET", "/dpo/exports"): LOOKING,
    ("POST", "/dpo/exports"): LOOKING,
}
# What is posted and opens nobody: it signs in or out, or tells of no person.
OPENS_NOBODY: Final = {
    "/dpo/sign-in",
    "/dpo/oidc/start",
    "/dpo/oidc",
    "/dpo/link/{token}",
    "/dpo/leave",
    "/dpo/cases",
    "/dpo/cases/decide",
    "/dpo/log",
    "/dpo/log/export",
    "/dpo/sent",
    "/dpo/breach",
}
# Told as their own tests say: by a mail that is handed in, or in a file that is made aside.
OPENS_BY_A_FILE: Final = {"/dpo/defence", "/dpo/log/person", "/dpo/exports"}
EXAMPLE: Final = {"/dpo/cases/": "req_" + "0" * 26, "/dpo/erasures/": "era_" + "0" * 26}


def asked_for(path: str) -> str:
    """The path, with a number of nobody's where it wants one."""
    before, _, rest = path.replace("{name}", "record").partition("{id}")
    return before + EXAMPLE[before] + rest if "{id}" in path else before
