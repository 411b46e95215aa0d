"""`gateway texts`, on both databases, as the operator runs it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from audit.kinds import Kind
from gateway.config import config
from gateway.flows.proving import verify
from storage.clock import DatabaseClock
from tests.support.apps import App, start_app
from tests.support.commands import Ran, Run, levels

PEOPLE = ("ada@example.org", "bob@example.net", "grace@example.com")
WAITING = "joan@example.org"
WORDING = 'en = "Yes, send me the Acme newsletter with product news and offers by email'
ALL_OF_IT = "3 consents, and 1 request without an answer"
OTHER = 'en = "Yes, send me the Acme newsletter with product news and offers by e-mail'


class Gateway:
    """One that is started for a moment, again and again, between commands."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.toml"

    def change(self, old: str, new: str) -> None:
        raw = self.file.read_text()
        assert raw.count(old) == 1, old
        self.file.write_text(raw.replace(old, new))

    def start(self) -> None:
        asyncio.run(self._do())

    def subscribe(self) -> str:
        """Three confirm and one waits; returns the hash of what they were shown."""
        return asyncio.run(self._do(*PEOPLE, WAITING))

    def agree_anew(self) -> str:
        """One of those who are asked says yes; who it is."""
        return asyncio.run(self._agree_anew())

    def permissions(self) -> dict[str, str]:
        return asyncio.run(self._permissions())

    def told(self, kind: Kind) -> int:
        return asyncio.run(self._told(kind))

    async def _do(self, *emails: str) -> str:
        async with start_app(config.load(self.file), DatabaseClock()) as app:
            (text,) = await app.texts("newsletter", form="newsletter")
            for email in emails:
                await _sign_up(app, email, text)
            for mail in await app.deliver():
                if mail.to != WAITING:
                    path = f"/confirm/{mail.token('confirm')}"
                    assert (await app.http.post(path, data={"answer": "confirm"})).status == 200
            return text

    async def _agree_anew(self) -> str:
        async with start_app(config.load(self.file), DatabaseClock()) as app:
            mail = (await app.deliver())[0]
            path = f"/confirm/{mail.token('confirm')}"
            assert (await app.http.post(path, data={"answer": "confirm"})).status == 200
            assert await app.permission(mail.to) == "granted"
            return mail.to

    async def _permissions(self) -> dict[str, str]:
        async with start_app(config.load(self.file), DatabaseClock()) as app:
            return {email: await app.permission(email) for email in (*PEOPLE, WAITING)}

    async def _told(self, kind: Kind) -> int:
        async with start_app(config.load(self.file), DatabaseClock()) as app:
            await app.tick()
            assert (await verify.verify(app.parts)).ok
            async with app.parts.data.read() as connection:
                return len(await app.parts.log.events(connection, kind=kind))


async def _sign_up(app: App, email: str, text: str) -> None:
    body = {"email": email, "purposes": ["newsletter"], "texts": [text]}
    assert (await app.http.post("/forms/newsletter", json=body)).status == 202


@pytest.fixture
def gateway(run: Run, folder: Path) -> Gateway:
    gateway = Gateway(folder)
    # Links as mails of these tests have them; nobody follows them over the network.
    gateway.change('"http://localhost:8080"', '"http://gateway.example"')
    assert run("init").status == 0
    return gateway


@pytest.fixture
def text(gateway: Gateway) -> str:
    """The hash of the wording that three people agreed to, and one was asked for."""
    return gateway.subscribe()


def listed(ran: Ran, text: str) -> dict[str, Any]:
    (found,) = [one for one in ran.json if one["hash"] == text]
    return dict(found)


@pytest.mark.usefixtures("initialised")
def test_texts_are_listed_and_an_unknown_one_is_not_retired(run: Run) -> None:
    listed = run("texts", "list", "--json")
    retired = run("texts", "retire", "sha256:" + "0" * 64)

    assert (listed.status, json.loads(listed.out)) == (0, [])
    assert (retired.status, retired.out) == (1, "")


def test_the_list_says_how_many_consents_rest_on_a_wording_and_since_when(
    run: Run, text: str
) -> None:
    found = listed(run("texts", "list", "--json"), text)

    assert (found["consents"], found["pending"], found["lacks"]) == (3, 1, [])
    assert found["since"] <= found["until"]
    row = next(line for line in run("texts", "list").out.splitlines() if text in line)
    assert row.split()[4:7] == ["3", found["since"][:10], "-"]


def test_the_list_says_what_a_wording_lacks_to_cover_the_mails_of_today(
    run: Run, gateway: Gateway, text: str
) -> None:
    gateway.change('name = "Acme" ', 'name = "Acme Brands" ')
    gateway.change('"Acme GmbH"', '"Acme Holding SE"')
    gateway.change(WORDING, OTHER)

    ran = run("texts", "list", "--json")

    assert listed(ran, text)["lacks"] == ["controller", "sender", "wording"]
    assert "current is what the last start had" in ran.err


def test_the_doctor_names_a_wording_under_which_nobody_is_mailed(
    run: Run, gateway: Gateway, text: str
) -> None:
    assert levels(run("doctor", "--json"), "wordings") == {"ok"}
    gateway.change(WORDING, OTHER)

    examined = run("doctor", "--json")

    assert levels(examined, "wordings") == {"warn"}
    (said,) = [one["text"] for one in examined.json if one["about"] == "wordings"]
    assert said == f"not covering the mails of newsletter, by wording: 3 consents to {text}"


def test_a_wording_that_was_declared_the_same_before_the_start_refuses_nobody(
    run: Run, gateway: Gateway, text: str
) -> None:
    gateway.change(WORDING, OTHER)

    declared = run("texts", "declare", text, "--reason", "e-mail is spelled with a hyphen")
    again = run("texts", "declare", text, "--reason", "e-mail is spelled with a hyphen")

    assert (declared.status, again.status) == (0, 0)
    assert "before" in again.err
    assert {gateway.permissions()[email] for email in PEOPLE} == {"granted"}
    assert gateway.told(Kind.TEXT_DECLARED) == 1
    (told,) = run("texts", "declared", "--json").json
    assert (told["about"], told["reason"]) == (text, "e-mail is spelled with a hyphen")
    assert "by e-mail" in told["text"]
    assert "spelled" in run("texts", "declared").out


def test_what_was_not_changed_or_is_not_known_cannot_be_declared(run: Run, text: str) -> None:
    for name, said in ((text, "this very wording"), ("sha256:none", "there is no text")):
        refused = run("texts", "declare", name, "--reason", "none")

        assert refused.status == 1
        assert said in refused.err
    assert run("texts", "declare", text, "--reason", " ").status == 2


def test_former_names_are_shown_as_they_were_declared(run: Run, gateway: Gateway) -> None:
    gateway.change('name = "Acme" ', 'was = ["Acme"]\nname = "Acme Brands" ')
    gateway.start()

    (told,) = run("texts", "declared", "--json").json

    assert (told["about"], told["was"], told["name"]) == ("sender.acme", "Acme", "Acme Brands")


def test_a_wording_is_retired_and_consents_to_it_stand(
    run: Run, gateway: Gateway, text: str
) -> None:
    gateway.change(WORDING, OTHER)
    gateway.start()
    run("texts", "declare", text, "--reason", "a hyphen")

    assert run("texts", "retire", text).status == 0

    assert {gateway.permissions()[email] for email in PEOPLE} == {"granted"}
    assert gateway.told(Kind.CONSENT_EXPIRED) == 0


@pytest.mark.parametrize("answer", ["n\n", ""], ids=["no", "nothing"])
def test_without_a_yes_the_number_is_told_and_nothing_ends(
    run: Run, gateway: Gateway, text: str, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    gateway.change(WORDING, OTHER)
    gateway.start()
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    asked = run("texts", "retire", text, "--ends-consents")

    assert asked.status == 1
    assert f"would end, of what rests on {text}: {ALL_OF_IT}" in asked.err
    assert listed(run("texts", "list", "--json"), text)["consents"] == 3
    assert listed(run("texts", "list", "--json"), text)["retired_at"] is None


@pytest.mark.parametrize("sure", [True, False], ids=["--yes", "yes when asked"])
def test_a_wording_is_retired_with_the_consents_that_rest_on_it(
    run: Run, gateway: Gateway, text: str, monkeypatch: pytest.MonkeyPatch, sure: bool
) -> None:
    gateway.change(WORDING, OTHER)
    gateway.start()
    run("texts", "declare", text, "--reason", "a hyphen")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    told = ("--yes",) if sure else ()

    done = run("texts", "retire", text, "--ends-consents", *told)
    again = run("texts", "retire", text, "--ends-consents", "--yes")

    assert (done.status, again.status) == (0, 0)
    assert f"would end, of what rests on {text}: {ALL_OF_IT}" in done.err
    assert f"ended: {ALL_OF_IT}" in done.err.splitlines()
    assert "ended: 0 consents, and 0 requests without an answer" in again.err.splitlines()
    found = listed(run("texts", "list", "--json"), text)
    assert (found["consents"], found["pending"]) == (0, 0)
    assert found["retired_at"] is not None
    permissions = gateway.permissions()
    assert {permissions[email] for email in PEOPLE} == {"expired"}
    assert permissions[WAITING] == "lapsed"
    assert gateway.told(Kind.CONSENT_EXPIRED) == 3
    assert gateway.told(Kind.CONSENT_LAPSED) == 1
    assert gateway.told(Kind.TEXT_RETIRED) == 1


def test_who_agreed_to_the_new_wording_is_mailed_when_the_old_one_ends(
    run: Run, gateway: Gateway, text: str
) -> None:
    gateway.change(WORDING, OTHER)
    gateway.start()
    run("texts", "ask-again", text, "--per-hour", "1000000", "--yes")
    agreed = gateway.agree_anew()

    done = run("texts", "retire", text, "--ends-consents", "--yes")

    assert f"would end, of what rests on {text}: {ALL_OF_IT}" in done.err
    assert f"ended: {ALL_OF_IT}" in done.err.splitlines()
    assert gateway.told(Kind.CONSENT_EXPIRED) == 3
    permissions = gateway.permissions()
    assert permissions.pop(agreed) == "granted"
    assert {permissions[email] for email in PEOPLE if email != agreed} == {"pending"}


def test_a_wording_that_pages_show_ends_nothing(run: Run, text: str) -> None:
    refused = run("texts", "retire", text, "--ends-consents", "--yes")

    assert refused.status == 1
    assert "still has this text" in refused.err
    assert listed(run("texts", "list", "--json"), text)["consents"] == 3


def asked(gateway: Gateway) -> list[str]:
    return asyncio.run(_asked(gateway))


async def _asked(gateway: Gateway) -> list[str]:
    async with start_app(config.load(gateway.file), DatabaseClock()) as app:
        mails = await app.deliver()
    return sorted(mail.to for mail in mails)


def test_a_dry_run_says_how_many_can_be_asked_and_why_others_cannot(
    run: Run, gateway: Gateway, text: str
) -> None:
    gateway.change(WORDING, OTHER)
    gateway.start()

    counted = run("texts", "ask-again", text, "--dry-run", "--json")

    assert (counted.status, counted.json) == (0, {"asked": 3, "not_asked": {}, "left": 0})
    assert "3 people can be asked, 0 cannot" in counted.err
    assert asked(gateway) == []


@pytest.mark.parametrize("sure", [True, False], ids=["--yes", "yes when asked"])
def test_who_agreed_to_other_words_is_asked_once(
    run: Run, gateway: Gateway, text: str, monkeypatch: pytest.MonkeyPatch, sure: bool
) -> None:
    gateway.change(WORDING, OTHER)
    gateway.start()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    told = ("--yes",) if sure else ()

    done = run("texts", "ask-again", text, "--per-hour", "1000000", "--json", *told)
    again = run("texts", "ask-again", text, "--json", *told)

    assert (done.status, again.status) == (0, 0)
    assert done.json == {"asked": 3, "not_asked": {}, "left": 0}
    assert again.json == {"asked": 0, "not_asked": {"asked_before": 3}, "left": 0}
    assert "asked_before: 3" in again.err
    assert asked(gateway) == sorted(PEOPLE)
    assert {gateway.permissions()[email] for email in PEOPLE} == {"not_covered"}


def test_without_a_yes_nobody_is_asked(
    run: Run, gateway: Gateway, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.change(WORDING, OTHER)
    gateway.start()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    refused = run("texts", "ask-again", text)

    assert refused.status == 1
    assert "nothing was done" in refused.err
    assert asked(gateway) == []


def test_what_cannot_be_asked_is_said(run: Run, gateway: Gateway, text: str) -> None:
    for name, said in ((text, "nothing to ask"), ("sha256:none", "there is no text")):
        refused = run("texts", "ask-again", name, "--yes")

        assert refused.status == 1
        assert said in refused.err
    gateway.change(WORDING, OTHER)
    assert "start the gateway" in run("texts", "ask-again", text, "--yes").err
    assert run("texts", "ask-again", text, "--per-hour", "0").status == 2
