"""`[desk]`: how those who answer for the data sign in, beside the link to their mailbox."""

from __future__ import annotations

from pydantic import BaseModel

from gateway.config.fields import Caption, IssuerUrl, Line, Password
from gateway.config.section import SECTION


class Oidc(BaseModel):
    """An identity provider that says who somebody is; what they may do here, it does not."""

    model_config = SECTION

    issuer: IssuerUrl
    client_id: Line
    client_secret: Password = None
    name: Caption
    address_claim: Line = "email"
    verified_claim: Line = "email_verified"


class Desk(BaseModel):
    """How one signs in."""

    model_config = SECTION

    oidc: Oidc | None = None
