"""A mail that somebody came with: ours under which permit and consent, or why not; told first."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import trail
from audit.kinds import Kind
from delivery import dkim, handed_in, mime
from delivery.dkim import Signer
from delivery.mime import Content
from gateway.callers.api_keys import Scope
from gateway.keyfiles import dkim_rotation, key_files
from tests.promises.test_erased_is_erased import erase, run_rules, sound
from tests.support.apps import ADA, App, Mail
from tests.support.bundles import check_alone
from tests.support.calls import queue
from tests.support.mails import header

PATH = "/v1/defences"
WHY = "warning letter 17"
YEAR = timedelta(days=365)


async def asked(
    app: App, raw: bytes, accept: str = "application/json", key: dict[str, str] | None = None
) -> tuple[int, bytes]:
    key = key or await app.key(Scope.SUBJECTS_READ)
    sent = {"Access-Reason": WHY, "Content-Type": "message/rfc822", "Accept": accept}
    async with app.http.post(PATH, data=raw, headers=key | sent) as answer:
        return answer.status, await answer.read()


async def defended(app: App, raw: bytes) -> dict[str, Any]:
    status, body = await asked(app, raw)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


async def newsletter(app: App, email: str = ADA) -> tuple[str, Mail]:
    """A mail that went out on a consent, and its message."""
    await app.subscribe(email)
    message = await queue(app, email, text="Twelve lines.", html="<p>Twelve lines.</p>")
    (mail,) = await app.deliver()
    return message, mail


async def looks(app: App, *kinds: Kind) -> list[str]:
    """Why it was looked at, as the trails of people have it."""
    wanted = kinds or (Kind.SUBJECT_ACCESSED, Kind.EVIDENCE_OPENED)
    async with app.parts.data.snapshot() as connection:
        people = [row[0] for row in await connection.exec_driver_sql("SELECT id FROM subject")]
    vault = await app.parts.keystore.vault(people)
    async with app.parts.data.snapshot() as connection:
        told = await trail.told(connection, people, wanted, vault)
    return [one.facts["why"] for one in told]


async def test_a_mail_of_ours_is_told_with_permit_ground_and_proof(app: App) -> None:
    message, mail = await newsletter(app)

    found = await defended(app, mail.raw)

    assert (found["ours"], found["reach"], found["opened"]) == (True, "whole", True)
    assert (found["message_id"], found["subject_id"]) == (message, await app.subject())
    assert found["signed"]["as_it_was_sent"] is True
    assert found["signed"]["selector"] == app.parts.signers["acme"].selector
    assert (found["permit"]["purpose"], found["permit"]["outcome"]) == ("newsletter", "sent")
    consent = found["consent"]["consent"]
    assert found["ground"] == {"kind": "consent", "id": consent["consent_id"]}
    assert (consent["state"], found["to_its_address"]) == ("confirmed", True)
    kinds = [one["kind"] for one in found["consent"]["steps"]]
    assert kinds == ["consent.requested", "consent.mail_sent", "consent.confirmed"]
    assert found["consent"]["wording"]["bundle"]["text"] == "Yes, send me the newsletter."
    assert await looks(app) == [WHY]
    assert await sound(app) == []


async def test_the_mail_that_asks_rests_on_the_request_that_it_asks_about(app: App) -> None:
    await app.sign_up()
    (mail,) = await app.deliver()

    found = await defended(app, mail.raw)

    assert found["ground"]["kind"] == "confirmation"
    assert found["consent"]["consent"]["state"] == "pending"
    assert mail.token("confirm") not in json.dumps(found), "its link still confirms"


async def test_traces_and_blanks_of_the_way_change_nothing(app: App) -> None:
    _, mail = await newsletter(app)
    way = b"Received: from a.example\r\n" + mail.raw.replace(b"Subject: ", b"Subject:  ", 1)

    found = await defended(app, way)

    assert (found["ours"], found["signed"]["as_it_was_sent"]) == (True, True)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        pytest.param(b"Twelve", b"Eleven", "altered", id="another word"),
        pytest.param(b"\r\nSubject: s", b"\r\nSubject: [x] s", "altered", id="a tag of a list"),
        pytest.param(b" s=gw", b" s=no", "unknown_key", id="a key never ours"),
        pytest.param(b"DKIM-Signature", b"X-Signature", "forged", id="no signature"),
        pytest.param(b"acme.example", b"foes.example", "foreign", id="another domain"),
    ],
)
async def test_what_is_not_ours_opens_nothing(
    app: App, before: bytes, after: bytes, reason: str
) -> None:
    _, mail = await newsletter(app)
    assert before in mail.raw
    everywhere = -1 if reason == "foreign" else 1

    found = await defended(app, mail.raw.replace(before, after, everywhere))

    assert (found["ours"], found["reason"]) == (False, reason)
    assert set(found) == {"format", "ours", "reason", "meaning", "signed_by", "selector", "altered"}
    assert await looks(app) == []
    assert ADA not in json.dumps(found)


def by_our_key(app: App, **more: Any) -> bytes:
    """A mail by whoever has our key, and nothing else of ours."""
    now = app.parts.clock.wall()
    fields = {"date": now, "list_id": None} | more
    mail = mime.compose(header(**fields), Content("s", "Pay.", None))
    return mail.wire([app.parts.signers["acme"].sign(mail.fields, mail.body, now)])


async def test_what_our_key_signed_and_nobody_permitted_is_told_as_never_accepted(app: App) -> None:
    await newsletter(app)
    name = "0" * 26 + "@acme.example"

    found = await defended(app, by_our_key(app, message_id=name))

    assert (found["ours"], found["reason"]) == (False, "never_accepted")
    assert "gateway dkim rotate" in found["meaning"][0]
    assert await looks(app) == []


async def test_other_words_under_a_message_id_of_ours_are_not_that_mail(app: App) -> None:
    """Whoever has our key may take the name of a mail that was sent, and its second."""
    message, _ = await newsletter(app)
    name = f"{message.removeprefix('msg_')}@acme.example"

    found = await defended(app, by_our_key(app, message_id=name))

    assert (found["ours"], found["reason"]) == (False, "other_content")
    assert await looks(app) == []


async def test_what_a_relay_renamed_is_found_by_where_it_went_and_when(app: App) -> None:
    """Amazon SES writes Message-ID and Date anew: then our signature does not cover them."""
    plain = app.parts.signers["acme"]
    hidden = ("message-id", "date")
    app.parts.signers["acme"] = Signer(plain.domain, plain.selector, plain.key, hidden)
    message, mail = await newsletter(app)
    renamed = re.sub(rb"\r\nMessage-ID: <[^>]*>", b"\r\nMessage-ID: <01@ses.example>", mail.raw)
    await app.tick()

    found = await defended(app, renamed)
    await queue(app, text="In the same second.")
    await app.deliver()
    await app.tick()
    twice = await defended(app, renamed)

    assert (found["message_id"], found["signed"]["as_it_was_sent"]) == (message, True)
    assert (twice["ours"], twice["reach"], twice["opened"]) == (True, "unidentified", False)


async def test_where_the_log_lost_entries_nobody_says_that_a_mail_was_never_accepted(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = by_our_key(app, message_id="0" * 26 + "@acme.example")
    monkeypatch.setattr(app.parts.log, "generation", 2)  # as after a restore

    found = await defended(app, raw)

    assert (found["ours"], found["reach"], found["opened"]) == (True, "lost", False)


async def test_a_key_of_before_still_judges_once_it_was_let_go(app: App) -> None:
    config = app.parts.config
    _, mail = await newsletter(app)
    folder = config.keys.dkim_dir / "acme.example"
    (first,) = folder.glob("*.pem")
    key_files.create(folder / "gw29991231.pem", dkim.new_key().reveal())

    gone = dkim_rotation.forget(config, datetime(2099, 1, 1, tzinfo=UTC))

    assert [one.selector for one in gone] == [first.stem]
    assert not first.exists()
    found = await defended(app, mail.raw)
    assert (found["ours"], found["signed"]["selector"]) == (True, first.stem)


async def test_it_is_asked_for_by_who_may_look_with_a_reason_and_a_mail(app: App) -> None:
    _, mail = await newsletter(app)
    others = await app.key(*(one for one in Scope if one is not Scope.SUBJECTS_READ))
    bound = await app.key(Scope.SUBJECTS_READ, purposes=["newsletter"])
    key = await app.key(Scope.SUBJECTS_READ)
    kind = {"Content-Type": "message/rfc822"}

    assert (await asked(app, mail.raw, key=others))[0] == 403
    assert (await asked(app, mail.raw, key=bound))[0] == 403
    large = io.BytesIO(bytes(handed_in.MOST + 1))
    async with app.http.post(PATH, data=large, headers=key | kind | {"Access-Reason": WHY}) as told:
        assert told.status == 413
    for headers, status in (
        (kind, 422),
        ({"Access-Reason": WHY, "Content-Type": "text/plain"}, 415),
    ):
        async with app.http.post(PATH, data=mail.raw, headers=key | headers) as answer:
            assert answer.status == status
    assert await looks(app) == []


async def test_a_mail_whose_rows_went_by_their_term_is_answered_as_long_as_the_log_tells(
    app: App,
) -> None:
    """The last permit of a consent stays; of those before nothing but the leaf."""
    first, old = await newsletter(app)
    app.step(timedelta(days=1))
    await queue(app, text="Later.")
    (newer,) = await app.deliver()
    app.step(timedelta(days=366))
    await run_rules(app)

    kept = await defended(app, newer.raw)
    gone = await defended(app, old.raw)

    assert (kept["reach"], kept["consent"]["consent"]["state"]) == ("whole", "confirmed")
    assert (gone["ours"], gone["reach"], gone["message_id"]) == (True, "ended", first)
    assert (gone["permit"], gone["ground"], gone["consent"]) == (None, None, None)
    assert len(await looks(app)) == 1


async def test_of_who_was_erased_it_reaches_as_far_and_as_long_as_what_is_locked(app: App) -> None:
    message, mail = await newsletter(app)
    assert (await erase(app))[0] == 202
    await run_rules(app)
    app.step(timedelta(days=366))  # longer than what the log says of anybody else's mails
    await run_rules(app)

    closed = await defended(app, mail.raw)
    assert (closed["ours"], closed["reach"], closed["subject_id"]) == (True, "locked", None)
    assert await looks(app) == []
    opens = await app.key(Scope.SUBJECTS_READ, Scope.EVIDENCE_OPEN)
    found = json.loads((await asked(app, mail.raw, key=opens))[1])

    assert (found["message_id"], found["erased"]) == (message, True)
    assert found["consent"]["consent"]["locked_until"]
    assert found["consent"]["consent"]["state"] == "withdrawn"
    assert found["permit"]["outcome"] == "sent"
    assert await looks(app, Kind.EVIDENCE_OPENED) == [WHY]
    assert await sound(app) == []
    app.step(3 * YEAR + timedelta(days=1))
    await run_rules(app)

    over = await defended(app, mail.raw)

    assert (over["ours"], over["reach"], over["subject_id"]) == (True, "ended", None)
    assert await sound(app) == []


async def test_the_bundle_proves_the_permit_by_two_steps_and_the_paper_is_in_it(
    app: App, tmp_path: Path
) -> None:
    _, mail = await newsletter(app)
    await newsletter(app, "bob@example.org")
    await app.tick()

    status, body = await asked(app, mail.raw, "application/zip")

    assert status == 200, body
    file = tmp_path / "defence.zip"
    file.write_bytes(body)
    exited, said = check_alone(file, app.parts.publisher.vkey)
    assert exited == 0, said
    with zipfile.ZipFile(io.BytesIO(body)) as files:
        assert files.read("mail.eml") == mail.raw
        assert json.loads(files.read("defence.json"))["ours"] is True
        assert files.read("defence.pdf").startswith(b"%PDF-")
        opened = [json.loads(line) for line in files.read("openings.jsonl").splitlines()]
    assert sum("position" in one for one in opened) == 2, "its permit, and what became of it"
    assert b"bob@" not in body
