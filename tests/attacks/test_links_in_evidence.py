"""Whoever writes rows, and may look at evidence: the link of a mail that still can confirm.

It is in the facts of the mail's event, which evidence and bundles open. Rows that are away, or
other than a gateway wrote them, while somebody looks, and then put back, must not show it: they
would confirm in the person's name.
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from audit.kinds import Actor, Kind
from audit.tables import audit_entry, audit_payload
from consent.address import parse
from consent.tables import consent, subject
from gateway.callers.api_keys import Scope
from gateway.flows.proving.consent_bundle import ConsentBundles
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports, at_once
from gateway.flows.rights.handing_out import by_a_caller
from gateway.flows.sending.permission import Question
from tests.support.apps import ADA, App
from tests.support.proofs import WHY, consent_of, evidence, hand_over


async def taken_out(app: App) -> None:
    async with app.parts.data.begin() as connection:
        request = select(audit_entry.c.eid).where(audit_entry.c.kind == Kind.CONSENT_REQUESTED)
        await connection.execute(delete(audit_payload).where(audit_payload.c.eid.in_(request)))


async def said_otherwise(app: App, of: Kind, to: Kind) -> None:
    """An entry of another kind, by whoever cannot sign it."""
    async with app.parts.data.begin() as connection:
        query = select(audit_entry.c.leaf_index, audit_entry.c.entry).where(
            audit_entry.c.kind == of
        )
        for place, raw in (await connection.execute(query)).all():
            other = raw.replace(f'"{of}"'.encode(), f'"{to}"'.encode())
            here = audit_entry.c.leaf_index == place
            await connection.execute(update(audit_entry).where(here).values(entry=other, kind=to))


async def decided(app: App) -> None:
    async with app.parts.data.begin() as connection:
        await connection.execute(update(consent).values(state="rejected"))


async def run_out(app: App) -> None:
    async with app.parts.data.begin() as connection:
        lapses = consent.c.requested_at
        await connection.execute(update(consent).values(lapses_at=lapses))


ALTERED: dict[str, Any] = {
    "nothing": lambda app: app.tick(),
    "its request is away": taken_out,
    "its request says that it ended": lambda app: said_otherwise(
        app, Kind.CONSENT_REQUESTED, Kind.CONSENT_LAPSED
    ),
    "the mail is another event": lambda app: said_otherwise(
        app, Kind.CONSENT_MAIL_SENT, Kind.SUBJECT_ACCESSED
    ),
    "the mail is a decision": lambda app: said_otherwise(
        app, Kind.CONSENT_MAIL_SENT, Kind.PERMIT_BATCH
    ),
    "the consent is decided": decided,
    "the consent has run out": run_out,
}


@pytest.mark.parametrize("how", ALTERED.values(), ids=ALTERED.keys())
async def test_no_row_that_is_away_or_altered_for_a_moment_shows_a_link_that_confirms(
    app: App, how: Any
) -> None:
    token, name = await asked(app)

    await how(app)

    assert not [way for way, said in (await shown(app, name)).items() if token in said]


async def test_a_mail_that_goes_out_while_its_bundle_is_made_stays_closed(app: App) -> None:
    """What was gathered before knows nothing of it, and the log that is read later does."""
    parts = app.parts
    await app.http.post("/forms/signup", json=await app.posted())
    await app.tick()
    name = await consent_of(app)
    evidences = Evidences(
        parts.data, parts.keystore, parts.consents, parts.log, parts.clock, at_once
    )
    found = await evidences.of(name, Opening(Actor.API, WHY, "key_1"))
    assert found is not None

    (mail,) = await hand_over(app)
    await app.tick()
    made = await ConsentBundles(Exports(parts, at_once), parts.data, parts.keystore).of(found, {})

    assert made is not None
    assert mail.token("confirm") not in text_of(b"".join([piece async for piece in made]))


async def test_a_mail_that_was_away_as_an_export_began_stays_closed_in_what_is_read_later(
    app: App,
) -> None:
    """All of somebody since an earlier moment is hidden, and put back while the file is read."""
    await app.subscribe(ADA, "updates")
    async with app.parts.data.read() as connection:
        before = (await connection.execute(select(subject))).mappings().one()
        old = set((await connection.execute(select(audit_payload.c.eid))).scalars())
    token, _ = await asked(app)
    async with app.parts.data.begin() as connection:
        these = audit_payload.c.eid.not_in(old)
        hidden = (await connection.execute(select(audit_payload).where(these))).mappings().all()
        await connection.execute(delete(audit_payload).where(these))
        now = (await connection.execute(select(subject))).mappings().one()
        await connection.execute(update(subject).values(dict(before)))

    question, why = Question("", parse(ADA)), by_a_caller("key_1", WHY)
    export = await Exports(app.parts, at_once).of_person(question, why, Form.JSONL)
    assert export is not None
    async with app.parts.data.begin() as connection:
        await connection.execute(insert(audit_payload), [dict(one) for one in hidden])
        await connection.execute(update(subject).values(dict(now)))

    assert token not in text_of(b"".join([piece async for piece in export.read()]))


async def asked(app: App) -> tuple[str, str]:
    """Somebody who was asked and did not answer: the token of the mail, and the consent."""
    await app.http.post("/forms/signup", json=await app.posted())
    (mail,) = await hand_over(app)
    await app.tick()
    async with app.parts.data.read() as connection:
        newest = select(consent.c.id).order_by(consent.c.requested_at.desc()).limit(1)
        return mail.token("confirm"), str((await connection.execute(newest)).scalar_one())


async def shown(app: App, name: str) -> dict[str, str]:
    """All that who may look at evidence gets."""
    key = await app.key(Scope.SUBJECTS_READ, Scope.EVIDENCE_OPEN)
    reason = {"Access-Reason": WHY}
    got = {
        one: text_of((await evidence(app, name, f"?format={one}", key))[2])
        for one in ("json", "jsonld", "bundle")
    }
    for form in ("bundle", "jsonl", "csv"):
        body = {"email": ADA, "format": form}
        async with app.http.post("/v1/audit/export", json=body, headers=key | reason) as answer:
            got[f"person, {form}"] = text_of(await answer.read())
    async with app.http.get(
        f"/v1/subjects/{await app.subject()}/dossier", headers=key | reason
    ) as answer:
        got["dossier"] = await answer.text()
    return got


def text_of(raw: bytes) -> str:
    """What is in a file, whatever it is packed in."""
    if not raw.startswith(b"PK"):
        return _opened(raw)
    with zipfile.ZipFile(io.BytesIO(raw)) as files:
        return "\n".join(_opened(files.read(one)) for one in files.namelist())


def _opened(raw: bytes) -> str:
    """A text, and whatever in it is base64."""
    said = raw.decode("latin-1").replace("=\r\n", "")
    packed = re.findall(r'"([A-Za-z0-9+/]{40,}={0,2})"', said)
    inside = [base64.b64decode(one) for one in packed if len(one) % 4 == 0]
    return "\n".join([said, *(one.decode("latin-1").replace("=\r\n", "") for one in inside)])
