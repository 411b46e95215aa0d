"""What a person said, and what opens a door, is in no repr: tracebacks like to show those."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.kinds import Actor, Kind
from consent import address
from consent.evidence import PassedOn, Requested, ServerReply, TakenBack
from consent.sign_ups import Asked, SignUp
from delivery.desk import Parcel
from delivery.outcome import Ending, Phase, Reply
from delivery.outcome import Kind as MailKind
from delivery.transmission import Envelope
from gateway.config import config
from gateway.flows.joining.sign_up import Posted
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.rights.overview import OwnData, Step
from gateway.flows.sending.content import CallersParts, CallersTemplate, OurMail
from gateway.flows.sending.enqueue import Wanted
from gateway.flows.sending.letters import Letter, Sealed
from gateway.flows.sending.permission import Question
from gateway.keyfiles import keyring
from storage.secret import Secret

NOW = datetime(2026, 3, 3, tzinfo=UTC)
EMAIL = "ada.canary@canary.example"
ADDRESS = address.parse(EMAIL)
SIGN_UP = SignUp(
    "signup",
    ADDRESS,
    "en",
    (Asked("newsletter", "sha256:5e"),),
    page_url="https://www.acme.example/canary",
    client="canary/1.0",
    profile={"first_name": "canary"},
)
REQUESTED = Requested.by("con_1", SIGN_UP, SIGN_UP.asked[0], NOW)
SEALED = Sealed("message", NOW, "gate", b"sealed", handle=b"canary", vault="vault")
HOLDING: dict[str, Any] = {
    "a secret": Secret(b"canary"),
    "an address": ADDRESS,
    "a sign-up": SIGN_UP,
    "a sign-up with its network": Posted(SIGN_UP, "canary"),
    "a question": Question("newsletter", ADDRESS),
    "a message": Wanted(
        Question("newsletter", ADDRESS), {"text": "canary"}, "key_1", reference="canary"
    ),
    "a withdrawal": Withdrawal("newsletter", Actor.API, "letter", facts={"reference": "canary"}),
    "a person's overview": OwnData(EMAIL, "en", {"first_name": "canary"}, [], []),
    "a step of a consent's story": Step(Kind.CONSENT_REQUESTED, NOW, REQUESTED),
    "the proof of a request": REQUESTED,
    "what a server said": ServerReply(250, "2.0.0", "canary"),
    "a word that was passed on": TakenBack("con_1", "newsletter", "x", PassedOn(NOW, "canary")),
    "what a mail is made of": SEALED,
    "a parcel": Parcel("msg_1", 1, "per_1", "sub_1", MailKind.SERVICE, "canary"),
    "a letter": Letter(SEALED),
    "a mail of ours": OurMail("confirmation", {"confirm": "canary"}),
    "a template with data": CallersTemplate("welcome", {"first_name": "canary"}, "canary"),
    "parts of a mail": CallersParts("canary", "canary", "canary", "canary"),
    "an envelope": Envelope("news@canary.example", EMAIL, b"canary"),
    "a reply": Ending(Phase.REPLIED, Reply(550, "5.1.1", "canary")),
}


@pytest.mark.parametrize("one", HOLDING.values(), ids=HOLDING.keys())
def test_what_holds_it_does_not_show_it(one: Any) -> None:
    assert "canary" not in f"{one!r} {one} {[one]}"


def test_the_urls_and_the_password_of_a_configuration_do_not_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PASSWORD", "canary")
    raw = config.embedded_default()
    for old, new in (
        ('url = "sqlite:///var/gateway.db"', 'url = "sqlite:////canary/data.db"'),
        (
            'keystore_url = "sqlite:///var/keystore.db"',
            'keystore_url = "sqlite:////canary/keys.db"',
        ),
        ('host = "127.0.0.1"', 'host = "127.0.0.1"\nusername = "g"\npassword_env = "PASSWORD"'),
        ('tls = "none"', 'tls = "starttls"'),
    ):
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)

    loaded = config.parse(raw, base=Path("/srv"))

    assert loaded.delivery.relay.password == Secret(b"canary")
    assert "canary" not in repr(loaded)


def test_a_keyring_shows_no_byte_of_a_key(tmp_path: Path) -> None:
    made = keyring.create(tmp_path / "keyring.json")
    keys = [key for kind in made.sets.values() for key in kind.live.values()]
    keys += made.keks.values()

    shown = repr(made)

    assert not any(repr(key.reveal())[2:-1] in shown or key.reveal().hex() in shown for key in keys)
