"""Promise 7: what is stored of one consent, opened with the person's keys, proves it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import rfc8785
from sqlalchemy import select

from audit import trail
from audit.trail import TrailEvent
from consent import specimens
from consent.specimens import Specimen
from consent.tables import consent
from delivery import remaking
from gateway.config import config
from gateway.process.lifespan import open_parts
from tests.support import bundles
from tests.support.gateways import Gateway, Received

TYPED = "echo-dot.Ada@EXAMPLE.org"
CANONICAL = "echo-dot.ada@example.org"
PAGE = "https://www.acme.example/landing"


@pytest.fixture
def gateway(one_process: Gateway) -> Gateway:
    return one_process


async def test_the_events_of_a_consent_say_who_what_when_where_and_how(gateway: Gateway) -> None:
    mail = await sign_up_and_confirm(gateway)
    async with gateway.http.get(f"{gateway.base}/forms/signup.json?locale=de") as answer:
        form = await answer.json()
    (shown,) = [one["text"] for one in form["purposes"] if one["purpose"] == "newsletter"]

    told = await story(gateway, "consent.confirmed")

    requested, sent, confirmed = (
        facts(told[kind]) for kind in ("requested", "mail_sent", "confirmed")
    )
    # Who, and to what wording: the bundle by its hash, with the privacy notice in it.
    assert (requested["address_typed"], requested["address"]) == (TYPED, CANONICAL)
    assert requested["purpose"] == confirmed["purpose"] == "newsletter"
    bundle = shown["bundle"]
    digest = f"sha256:{hashlib.sha256(rfc8785.dumps(bundle)).hexdigest()}"
    assert requested["text"] == confirmed["text"] == shown["hash"] == digest
    assert told["requested"].entry.refs["text"] == digest
    assert (bundle["locale"], bundle["text"]) == ("de", "Ja, ich möchte den Newsletter.")
    assert bundle["controller"]["name"] == "Acme GmbH"
    # When and where it was asked for, and who showed the wording.
    assert (requested["form"], requested["page_url"]) == ("signup", PAGE)
    assert requested["rendered_by"] == "asserted"
    assert requested["locale"] == "de"
    assert requested["profile"] == {"first_name": "Ada"}
    received_at = datetime.fromisoformat(requested["received_at"])
    # Which confirmation mail went out, byte for byte, and what the receiving server said.
    assert sent["consents"] == [requested["consent"]]
    assert sent["mail"] == f"sha256:{hashlib.sha256(mail.raw).hexdigest()}"
    assert sent["from"] == "news@acme.example"
    assert sent["message_id_header"] == mail.mail["Message-ID"].strip("<>")
    assert sent["reply"]["code"] == 250
    assert sent["reply"]["enhanced"] == "2.0.0"
    assert sent["reply"]["text"].endswith(f"kept for <{mail.to}> of Taradiddle Lane")
    # When and how it was confirmed.
    confirmed_at = datetime.fromisoformat(confirmed["confirmed_at"])
    assert confirmed["consent"] == requested["consent"]
    assert "POST" in confirmed["action"]
    assert received_at < told["mail_sent"].entry.at < confirmed_at
    token = mail.link("confirm").rpartition("/")[2]
    # That link was in that mail, and the mail can be made again to the byte.
    assert confirmed["token"] == sent["token"] == token_hash(token)
    shown = await kept(gateway, sent["made_of"]["specimen"], confirmed["shown"])
    values = sent["made_of"]["values"]
    assert remaking.remade(shown[sent["made_of"]["specimen"]].body, values) == mail.raw
    assert values["confirm"] == token
    # To whom it was handed, and what was read when it was confirmed; nobody's but the wording.
    assert sent["session"] == {"host": "127.0.0.1", "port": gateway.relay_port}
    page = shown[confirmed["shown"]].body.decode()
    assert "Ja, ich möchte den Newsletter." in page
    for body in (one.body.decode() for one in shown.values()):
        assert not [word for word in (CANONICAL, token, "Ada") if word.lower() in body.lower()]


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_whoever_runs_it_hands_out_the_proof_of_one_consent(gateway: Gateway) -> None:
    """A paper for who judges, and a bundle that is checked with nothing of ours."""
    mail = await sign_up_and_confirm(gateway)
    name = facts((await story(gateway, "consent.confirmed"))["requested"])["consent"]
    keys = await asyncio.to_thread(gateway.command, "audit", "keys")

    async def write(form: str, *more: str) -> tuple[Path, CompletedProcess[str]]:
        path = gateway.directory / f"proof.{form}"
        asked = ("audit", "evidence", name, "--format", form, "--reason", "case 17", *more)
        done = await asyncio.to_thread(gateway.try_command, *asked, "-o", str(path))
        return path, done

    async with asyncio.timeout(60):
        while (made := await write("bundle"))[1].returncode:  # until a checkpoint covers it
            assert "next checkpoint" in made[1].stderr
    status, said = await asyncio.to_thread(bundles.check_alone, made[0], keys)
    paper, done = await write("pdf", "--locale", "de")
    lost, refused = await write("json", "--case", "Lovelace")

    assert (status, "1 made again to the byte" in said) == (0, True), said
    files = bundles.files_of(made[0].read_bytes())
    assert mail.raw in files.values()
    assert done.returncode == 0, done.stderr
    assert b"pdfaid:part" in paper.read_bytes()
    assert (refused.returncode, lost.exists()) == (2, False)
    stranger = ("audit", "evidence", "con_" + "0" * 26, "--reason", "case 17", "-o", str(lost))
    nobody = await asyncio.to_thread(gateway.try_command, *stranger)
    assert (nobody.returncode, lost.exists()) == (1, False)
    assert "--case" in nobody.stderr


async def kept(gateway: Gateway, *names: str) -> dict[str, Specimen]:
    async with open_parts(config.load(gateway.config)) as parts, parts.data.read() as connection:
        return await specimens.get(connection, names)


async def test_what_showed_the_wording_is_kept_where_our_own_page_did(gateway: Gateway) -> None:
    async with gateway.http.get(f"{gateway.base}/forms/signup?locale=de") as page:
        html = await page.text()
    found = re.findall(r'name="(stamp|locale|page_url|text)" value="([^"]*)"', html)
    await asyncio.sleep(1.1)  # nobody fills in a form faster
    filled = [*found, ("email", TYPED), ("purpose", "newsletter"), ("homepage", "")]
    async with gateway.http.post(f"{gateway.base}/forms/signup", data=filled) as answer:
        assert answer.status == 200
    await gateway.await_mail("echo-dot.Ada@example.org")

    asked = facts((await story(gateway, "consent.requested"))["requested"])

    assert (asked["rendered_by"], asked["page_url"]) == ("page", f"{gateway.base}/forms/signup")
    shown = await kept(gateway, asked["shown"], asked["form_digest"])
    assert shown[asked["shown"]].body.decode() == html.replace(dict(found)["stamp"], "")
    assert b"newsletter" in shown[asked["form_digest"]].body


async def sign_up_and_confirm(gateway: Gateway) -> Received:
    (text,) = await german_text(gateway)
    body = {
        "email": TYPED,
        "purposes": ["newsletter"],
        "texts": [text],
        "locale": "de",
        "page_url": PAGE,
        "profile": {"first_name": "Ada"},
    }
    async with gateway.http.post(f"{gateway.base}/forms/signup", json=body) as answer:
        assert answer.status == 202
    async with asyncio.timeout(60):
        while not gateway.received():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    (mail,) = gateway.received()
    # A quick person confirms before the server's reply is written down, on a busy machine.
    await story(gateway, "consent.mail_sent")
    async with gateway.http.post(mail.link("confirm"), data={"answer": "confirm"}) as answer:
        assert answer.status == 200
    return mail


async def german_text(gateway: Gateway) -> list[str]:
    async with gateway.http.get(f"{gateway.base}/forms/signup.json?locale=de") as answer:
        form = await answer.json()
    return [one["text"]["hash"] for one in form["purposes"] if one["purpose"] == "newsletter"]


def token_hash(token: str) -> str:
    return hashlib.sha256(base64.urlsafe_b64decode(token + "=")).hexdigest()


async def story(gateway: Gateway, last: str) -> dict[str, TrailEvent]:
    """A person's events by kind, out of the stores and opened with their keys, up to *last*."""
    async with open_parts(config.load(gateway.config)) as parts, asyncio.timeout(60):
        while True:
            async with parts.data.read() as connection:
                query = select(consent.c.subject)
                (subject,) = (await connection.execute(query)).scalars()
                opener = await parts.keystore.vault([subject])
                events = await trail.trail(connection, subject, opener)
            assert trail.gaps(events) == []
            kinds = {str(one.entry.kind): one for one in events}
            if last in kinds:
                return {kind.removeprefix("consent."): one for kind, one in kinds.items()}
            await asyncio.sleep(0.05)


def facts(event: TrailEvent) -> dict[str, Any]:
    (one,) = event.disclosures
    assert one.facts is not None, one.opening
    return dict(one.facts)


async def test_the_privacy_notice_of_a_wording_is_served_and_hashes_to_its_name(
    gateway: Gateway,
) -> None:
    async with gateway.http.get(f"{gateway.base}/forms/signup.json?locale=de") as answer:
        form = await answer.json()

    for one in form["purposes"]:
        name = one["text"]["bundle"]["notice"]
        async with gateway.http.get(f"{gateway.base}/notices/{name}") as page:
            assert page.status == 200
            assert name in await page.text()
        async with gateway.http.get(f"{gateway.base}/notices/{name}?format=markdown") as answer:
            body = await answer.read()

        assert answer.content_type == "text/markdown"
        assert f"sha256:{hashlib.sha256(body).hexdigest()}" == name
        assert "Acme GmbH" in body.decode()


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_the_wording_stays_provable_after_it_was_changed(gateway: Gateway) -> None:
    """The bundle that was agreed to is kept under its hash when the configuration has another."""
    await sign_up_and_confirm(gateway)
    agreed = facts((await story(gateway, "consent.confirmed"))["requested"])["text"]
    gateway.kill("serve")
    text = gateway.config.read_text().replace("ich möchte den", "ich will den")
    gateway.config.write_text(text)
    await gateway.start("serve", "serve", "--worker")

    listed = await asyncio.to_thread(gateway.command, "texts", "list", "--json")

    assert await german_text(gateway) != [agreed]
    assert agreed in listed
