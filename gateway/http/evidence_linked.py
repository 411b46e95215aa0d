"""The evidence of one consent as JSON-LD, in the words of the Data Privacy Vocabulary (DPV).

After the DPV's guide to ISO/IEC TS 27560; what has no word there stands in the JSON file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from audit.kinds import Kind
from consent.model import State
from gateway.config.config import Config
from gateway.flows.proving.consent_proof import ConsentEvidence, Step
from storage.ids import named

_CONTEXT: Final = {
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_STATES: Final[Mapping[State, str]] = {
    State.PENDING: "dpv:ConsentRequested",
    State.CONFIRMED: "dpv:ConsentGiven",
    State.REJECTED: "dpv:ConsentRefused",
    State.WITHDRAWN: "dpv:ConsentWithdrawn",
    State.LAPSED: "dpv:ConsentUnknown",
    State.EXPIRED: "dpv:ConsentExpired",
}
_EVENTS: Final[Mapping[Kind, str]] = {
    Kind.CONSENT_REQUESTED: "dpv:ConsentRequested",
    Kind.CONSENT_CONFIRMED: "dpv:ConsentGiven",
    Kind.CONSENT_REJECTED: "dpv:ConsentRefused",
    Kind.CONSENT_WITHDRAWN: "dpv:ConsentWithdrawn",
    Kind.CONSENT_EXPIRED: "dpv:ConsentExpired",
}


def to_jsonld(found: ConsentEvidence, config: Config) -> bytes:
    """One consent record."""
    said = {"@context": _CONTEXT, **_record(found, config)}
    return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"


def _record(found: ConsentEvidence, config: Config) -> dict[str, Any]:
    consent, text, asked = found.consent, found.text, found.requested
    record: dict[str, Any] = {
        "@type": "dpv:ConsentRecord",
        "dct:identifier": consent.id,
        "dct:conformsTo": "https://w3id.org/dpv/schema/dpv-27560",
        "dpv:hasDataSubject": {"dct:identifier": consent.subject},
        "dpv:hasDataController": {
            "dpv:hasName": config.controller.name,
            "dpv:hasAddress": config.controller.postal_address,
            "dpv:hasContact": config.controller.contact,
        },
        "dpv:hasPurpose": {"dct:identifier": consent.purpose},
        "dpv:hasLegalBasis": ["eu-gdpr:A6-1-a", "dpv:ExplicitlyExpressedConsent"],
        "dpv:hasConsentStatus": _STATES[found.state],
        "dct:hasPart": [_event(step) for step in found.steps if step.kind in _EVENTS],
    }
    if asked is not None:
        record["dpv:hasDataSubject"]["dpv:hasContact"] = asked.address
    if text is not None:
        record["dpv:hasPurpose"]["dct:title"] = text.bundle["title"]
        record["dpv:hasNotice"] = {
            "@type": "dpv:ConsentNotice",
            "dct:identifier": text.hash,
            "dct:language": text.locale,
            "dct:description": text.bundle["text"],
            "dct:references": {"@type": "dpv:PrivacyNotice", "dct:identifier": _notice(found)},
        }
        record["dpv:hasConsentControl"] = {
            "@type": "dpv:WithdrawConsent",
            "dct:description": text.bundle["withdraw"],
        }
    if consent.ends_at is not None:
        record["dpv:hasDuration"] = {"dct:valid": _moment(consent.ends_at.isoformat())}
    return record


def _notice(found: ConsentEvidence) -> str | None:
    return None if found.notice is None else found.notice.hash


def _event(step: Step) -> dict[str, Any]:
    return {
        "@type": _EVENTS[step.kind],
        "dct:identifier": named("evt", step.entry.eid),
        "dpv:isIndicatedAtTime": _moment(step.at.isoformat()),
    }


def _moment(at: str) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": at}
