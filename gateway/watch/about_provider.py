"""The identity provider of the desk, as the operator is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.config import Config
from gateway.oidc import metadata
from gateway.oidc.errors import ProviderAway
from gateway.oidc.provider import Known, Provider
from gateway.watch.findings import Finding, fail, ok, warn

_ABOUT: Final = "desk.oidc"
_MEANWHILE: Final = "meanwhile the mailed link opens the desk"
# What no waiting mends, by the reason that the provider was not understood.
_WRONG: Final = {
    "other_issuer": "calls itself otherwise than desk.oidc.issuer",
    "no_document": "describes itself by no JSON object",
    "no_endpoint": "names no authorization, token and key addresses that are https",
    "no_keys": "has no list of keys where it says",
}


async def about(config: Config) -> list[Finding]:
    """Ask it what it says of itself, as the desk does."""
    ours = config.desk.oidc
    if ours is None:
        return []
    place = metadata.place_of(ours.issuer)
    try:
        known = await Provider(ours).known()
    except ProviderAway as error:
        return [_away(error.why, place)]
    wrong = [*_lacking(known, place)]
    if wrong:
        return wrong
    back = f"{config.server.public_url}/dpo/oidc"
    return [ok(_ABOUT, f"{ours.issuer} answers; the redirect URI to register there is {back}")]


def _away(why: str, place: str) -> Finding:
    if why in _WRONG:
        fix = f"compare {place} with [desk.oidc], to the last stroke; {_MEANWHILE}"
        return fail(_ABOUT, f"the provider {_WRONG[why]}", fix)
    fix = f"see that this machine reaches it, and trusts its certificate; {_MEANWHILE}"
    return warn(_ABOUT, f"{place} does not answer as it should ({why})", fix)


def _lacking(known: Known, place: str) -> Iterator[Finding]:
    """What the desk cannot do without."""
    said = known.described
    if not known.keys:
        yield fail(_ABOUT, f"{said.jwks_uri} has no key that we take", _keys())
    if said.algorithms is not None and not {*said.algorithms} & {*metadata.ALGORITHMS}:
        yield fail(_ABOUT, "it signs ID tokens by no algorithm that we take", _keys())
    if said.challenges is not None and "S256" not in said.challenges:
        fix = f"allow PKCE by S256 there, as {place} is to say"
        yield fail(_ABOUT, "it takes no proof key (PKCE) by S256", fix)


def _keys() -> str:
    return f"have it sign by a key pair: {', '.join(metadata.ALGORITHMS)}; RSA of 2048 bits or more"
