"""One set of facts for each page in each of its states, for tests and for looking at them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from consent.model import Reason
from gateway.config.form_fields import FieldKind, FormField
from gateway.http.pages import Brand, Legal
from gateway.look import field_words, markdown, terms
from gateway.look.papers import Facts, Heading, Listing, Paper, Quote, Table, Words
from gateway.look.translations import tongues, translations
from tests.support.desk_samples import (
    CASE,
    ERASURE,
    breach_samples,
    case_samples,
    defence_samples,
    export_samples,
    log_samples,
    sent_samples,
)

AT: Final = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
EVENT: Final = "evt_m7goftng890oi21kmo5s8o8n60"
CHECKSUM: Final = "UrFg1grMJYWcbmOzLHPyqotqfx0zB2TtDcWTmqYuyjE="
SEAL: Final = (
    "gw.example.org/audit/2026a\n7\nWEltaaD2lXAaUZq4BEuO3cBW7D+KZsBrpNVauqy+u6U=\n\n"
    "\u2014 gw.example.org/audit/2026a cXqGpzz8JFumAglk3EUxvZV7IZse5/NIKO9ylPE3icGgpDkUP8GVDxI/"
    "YpoEvlJwuHjA3xSs44EMb9TH09dLNSFnYQ8=\n"
)
HASH: Final = "sha256:" + "5e" * 32
BRAND: Final = Brand(
    name="Acme",
    controller="Acme GmbH",
    postal_address="Musterstr. 1, 10115 Berlin, Germany",
    legal=[
        Legal("Acme", "https://www.acme.example/imprint", "https://www.acme.example/privacy"),
    ],
)
TWO_SENDERS: Final = Brand(
    name="Acme GmbH",
    postal_address="Musterstr. 1, 10115 Berlin, Germany",
    legal=[
        *BRAND.legal,
        Legal("Other", "https://www.other.example/imprint", "https://www.other.example/privacy"),
    ],
)
_LOGO: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 32"><text x="0" y="24" fill="#fff" '
    b'font-size="24">Acme</text></svg>'
)
BRANDED: Final = replace(
    BRAND,
    accent="#0b5fff",
    band="#12372f",
    logo="data:image/svg+xml;base64," + base64.b64encode(_LOGO).decode(),
)
_TEXT: Final = {
    "en": "Yes, send me the Acme newsletter with product news and offers by email, about twice a "
    "month. I can withdraw my consent at any time, with the link in every mail.",
    "fr": "Oui, envoyez-moi la lettre d’information d’Acme avec des nouveautés et des offres par "
    "e-mail, environ deux fois par mois.",
    "de": "Ja, ich möchte den Acme-Newsletter mit Produktneuigkeiten und Angeboten per E-Mail "
    "erhalten, etwa zweimal im Monat. Ich kann meine Einwilligung jederzeit widerrufen, über "
    "den Link in jeder E-Mail.",
}
_ROLES: Final = {
    "dev": {"en": "Development", "de": "Entwicklung", "fr": "Développement"},
    "own": {"en": "Ownership", "de": "Inhaberschaft", "fr": "Direction"},
}
_KINDS: Final = {
    "role": FormField(
        kind=FieldKind.CHOICE,
        required=True,
        label={"en": "Your role", "de": "Ihre Rolle", "fr": "Votre rôle"},
        help={
            "en": "What you do most of the day.",
            "de": "Was Sie am meisten tun.",
            "fr": "Ce que vous faites le plus.",
        },
        options=_ROLES,
    ),
    "topics": FormField(kind=FieldKind.MULTIPLE_CHOICE, options=_ROLES),
    "team": FormField(kind=FieldKind.NUMBER, min=1, max=500),
    "since": FormField(kind=FieldKind.DATE),
    "partner": FormField(kind=FieldKind.CHECKBOX),
    "source": FormField(kind=FieldKind.HIDDEN, options=_ROLES),
}
_ANSWERS: Final = {
    "role": "dev",
    "topics": "dev\nown",
    "team": "0",
    "since": "2026-03-31",
    "partner": "yes",
    "source": "own",
}
_LABEL: Final = {"en": "First name", "de": "Vorname", "fr": "Prénom"}
_WITHDRAW: Final = {
    "en": "You can withdraw your consent at any time, by the link in every mail.",
    "fr": "Vous pouvez retirer votre consentement à tout moment, par le lien de chaque e-mail.",
    "de": "Sie können Ihre Einwilligung jederzeit widerrufen, über den Link in jeder E-Mail.",
}


_PROCESSORS: Final = [
    {"name": "Mail Relay GmbH", "country": "Germany", "role": "sends mails"},
]


_LOGGED: Final = ("1 March 2026", "updates", "", "Nothing allowed it so far", "Waits")


def paper(locale: str) -> Paper:
    """A paper with every kind of block."""
    return Paper(
        translations(locale).gettext("Your data"),
        locale,
        "Acme GmbH",
        "Acme GmbH",
        [
            Words("Acme GmbH\nprivacy@acme.example"),
            Heading("Newsletter"),
            Facts([("Acme", "ada@example.org")]),
            Heading("Newsletter", 2),
            Quote("Ja, bitte.", "de"),
            Listing(["2026-03-03"]),
            Heading("Mails"),
            Table(["Newsletter", "Acme"], [("2026-03-03", "a" * 60)] * 2),
        ],
    )


def consent(locale: str, **more: Any) -> dict[str, Any]:
    return {
        "purpose": "newsletter",
        "title": "Newsletter",
        "text": _TEXT[locale],
        "locale": locale,
        "sender": "Acme",
        "sender_address": "news@acme.example",
        "imprint_url": "https://www.acme.example/imprint",
        "notice_url": f"/notices/{HASH}",
        "hash": HASH,
        "required": False,
        "state": "pending",
        "decided_at": AT,
        "hindrance": None,
        **more,
    }


def step(kind: str, **more: Any) -> dict[str, Any]:
    """One line of a consent's story."""
    told = {"page_url": None, "rendered_by": None, "code": None, "reply": None, "channel": None}
    return {"kind": kind, "at": AT, **told, **more}


def desk_samples(locale: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The pages of whoever answers for the data."""
    ask = {"email": "", "problem": None, "over": False, "provider": None, "answers": False}
    answer = {"code": "code", "state": "state", "iss": "https://login.example"}
    start = {
        "operator": "privacy-1",
        "role": "dpo",
        "ends_at": AT,
        "email": "",
        "why": "",
        "problem": None,
        "erasure": None,
        "csrf": "csrf",
    }
    consent = {
        "id": "con_00000000000000000000000000",
        "purpose": "newsletter",
        "title": "Newsletter",
        "text": _TEXT[locale],
        "locale": locale,
        "state": "confirmed",
        "not_mailed": None,
        "requested_at": AT,
        "decided_at": AT,
        "stands": True,
    }
    say = translations(locale).gettext
    mail = {"at": AT, "what": "Newsletter", "ground": say("A consent"), "became": say("Sent")}
    looked = {
        "at": AT,
        "kind": "subject.accessed",
        "what": say("The data of a person was looked at"),
        "who": say("an operator"),
        "said": [(say("Which operator"), "privacy-1"), (say("Why"), "2026-17")],
        "plainly": False,
    }
    about = {"subject": "sub_00000000000000000000000000", "why": "2026-17", "csrf": "csrf"}
    person = {
        **about,
        "email": "ada@example.org",
        "language": locale,
        "profile": [(say("First name"), "Ada")],
        "consents": [consent],
        "holds": [
            {"id": "hol_1", "placed_at": AT, "until": AT, "why": "file 17"},
            {"id": "hol_2", "placed_at": AT, "until": AT, "why": None},
        ],
        "cases": [{"id": CASE, "what": say("Access"), "state": say("Waits"), "due_at": AT}],
        "mails": [mail],
        "events": [looked, {**looked, "plainly": True}],
        "more": False,
        "did": None,
        "may_act": True,
        **dict.fromkeys(("restricted_at", "objected_at", "paused_until", "held_until", "waiting")),
    }
    lesser = {**consent, "state": "withdrawn", "stands": False, "text": None}
    stopped = dict.fromkeys(("restricted_at", "objected_at", "paused_until", "held_until"), AT)
    full = {**person, **stopped, "did": "object", "waiting": {"asked_at": AT, "until": AT}}
    act = {**about, "purpose": "newsletter", "title": "Newsletter", "locked_until": AT}
    act |= {"held_until": None, "hold": "", "dispute": "", "until": "", "unsaid": False}
    act["channel"] = ""
    return {
        "desk-ask": ("desk_ask", dict(ask)),
        "desk-over": ("desk_ask", {**ask, "over": True}),
        "desk-ask-wrong": ("desk_ask", {**ask, "email": "ada", "problem": "email_invalid"}),
        "desk-ask-provider": ("desk_ask", {**ask, "provider": "Acme Login", "answers": True}),
        "desk-ask-away": ("desk_ask", {**ask, "provider": "Acme Login", "answers": False}),
        "desk-vouched": ("desk_vouched", {"provider": "Acme Login", "answer": answer}),
        **{
            f"desk-unvouched-{one}": ("desk_unvouched", {"provider": "Acme Login", "problem": one})
            for one in ("over", "declined", "refused", "unbelieved", "away")
        },
        "desk-asked": ("desk_asked", {}),
        "desk-open": ("desk_open", {}),
        "desk": ("desk", dict(start)),
        "desk-auditor": ("desk", {**start, "role": "auditor"}),
        "desk-admin": ("desk", {**start, "role": "admin"}),
        **{
            f"desk-{one}": ("desk", {**start, "problem": one})
            for one in ("email", "why", "nobody", "gone", "erased", "held")
        },
        "desk-certificate": ("desk", {**start, "problem": "erased", "erasure": ERASURE}),
        "desk-person": ("desk_person", dict(person)),
        "desk-person-stopped": ("desk_person", {**full, "consents": [lesser], "may_act": False}),
        "desk-person-nothing": (
            "desk_person",
            {
                **person,
                "consents": [],
                "cases": [],
                "holds": [],
                "mails": [],
                "events": [],
                "email": "",
                "more": True,
            },
        ),
        **{
            f"desk-act-{one}": ("desk_act", {**act, "act": one})
            for one in ("withdraw", "object", "restrict", "unrestrict", "hold", "erase")
        },
        "desk-act-lift-hold": ("desk_act", {**act, "act": "lift_hold", "held_until": AT}),
        "desk-act-hold-unsaid": ("desk_act", {**act, "act": "hold", "unsaid": True}),
        **{
            f"desk-person-{did}": ("desk_person", {**person, "did": did})
            for did in ("withdraw", "restrict", "unrestrict", "hold", "lift_hold", "nothing")
        },
        "desk-act-held": ("desk_act", {**act, "act": "erase", "held_until": AT}),
        "desk-act-nothing": ("desk_act", {**act, "act": "erase", "locked_until": None}),
    }


def rights_samples(one: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The pages on which somebody restricts, objects and is erased."""
    free: dict[str, Any] = {
        "restricted_at": None,
        "objected_at": None,
        "again": [],
        "waiting": None,
        "did": None,
        "csrf": "token",
    }
    objected = {**free, "objected_at": AT}
    both = {**objected, "restricted_at": AT}
    erase = {
        "locked_until": AT,
        "held_until": None,
        "blocked": True,
        "stopped": True,
        "kept": "3 years",
        "processors": _PROCESSORS,
        "contact": "privacy@acme.example",
        "csrf": "token",
    }
    waits = {"asked_at": AT, "until": AT}
    erased = {
        "waiting": None,
        "erasure": {"id": "era_" + "0" * 26, "asked_at": AT, "due_at": AT, "locked_until": AT},
        "shown": {"done_at": AT, "key_count": 2},
        "certificate_url": "/my-data/certificate/signed",
        "contact": "privacy@acme.example",
    }
    begun = {**erased["erasure"], "locked_until": None}  # type: ignore[dict-item]
    pace = {
        "paused_until": None,
        "apart": "any",
        "offered": ["any", "week", "month"],
        "saved": False,
        "csrf": "token",
    }
    return {
        **_rectify_samples(),
        "my-data-pace": ("my_data_pace", pace),
        "my-data-paused": (
            "my_data_pace",
            {**pace, "paused_until": AT, "apart": "week", "saved": True},
        ),
        "my-data-restrict": ("my_data_restrict", free),
        "my-data-restricted": ("my_data_restrict", {**both, "did": "restrict"}),
        "my-data-unrestricted": ("my_data_restrict", {**free, "did": "lift"}),
        "my-data-unrestricted-objected": ("my_data_restrict", {**objected, "did": "lift"}),
        "my-data-object": ("my_data_object", free),
        "my-data-objected": ("my_data_object", {**objected, "did": "object"}),
        "my-data-objected-again": ("my_data_object", {**both, "again": [one], "did": "changed"}),
        "my-data-objection-lifted": ("my_data_object", {**free, "did": "lift"}),
        "my-data-objection-lifted-restricted": (
            "my_data_object",
            {**both, "objected_at": None, "did": "lift"},
        ),
        "my-data-erase": ("my_data_erase", erase),
        "my-data-erase-whole": (
            "my_data_erase",
            {**erase, "locked_until": None, "blocked": False, "processors": []},
        ),
        "my-data-erased": ("my_data_erased", erased),
        "my-data-restricted-held": ("my_data_restrict", {**both, "waiting": waits}),
        "my-data-objected-held": ("my_data_object", {**both, "waiting": waits}),
        "my-data-erase-held": ("my_data_erase", {**erase, "held_until": AT}),
        "my-data-erased-held": (
            "my_data_erased",
            {**erased, "erasure": begun, "shown": None, "waiting": {**waits, "until": None}},
        ),
        "my-data-erasing": ("my_data_erased", {**erased, "erasure": begun, "shown": None}),
    }


def _rectify_samples() -> dict[str, tuple[str, dict[str, Any]]]:
    """The page on which somebody corrects their details, and those behind links about them."""
    details = {
        "email": "ada@example.org",
        "language": "en",
        "languages": ["en", "de", "fr", "zxx"],
        "fields": [{"name": "first_name", "label": "First name", "value": "Ada", "max_length": 80}],
        "typed": "",
        "problem": None,
        "did": None,
        "csrf": "token",
    }
    wrong = {**details, "typed": "ada", "problem": "email_invalid"}
    done = {
        f"address-{became}": (
            "address_done",
            {"became": became, "contact": "privacy@acme.example"},
        )
        for became in ("moved", "kept", "taken", "over")
    }
    return {
        **done,
        "my-data-rectify": ("my_data_rectify", {**details, "did": "profile"}),
        "my-data-rectify-address": ("my_data_rectify", {**details, "did": "address"}),
        "my-data-rectify-wrong": ("my_data_rectify", wrong),
        "address-new": ("address", {"towards": "to-new", "controller": "Acme GmbH"}),
        "address-old": ("address", {"towards": "to-old", "controller": "Acme GmbH"}),
        **{
            f"stop-again-{what}": (
                "stop_again",
                {"lifted": what, "lifted_at": AT, "controller": "Acme GmbH"},
            )
            for what in ("restriction", "objection", "pause")
        },
        **{
            f"stopped-again-{what}": (
                "stop_again_done",
                {"stopped": what, "contact": "privacy@acme.example"},
            )
            for what in ("restriction", "objection", "pause", None)
        },
    }


def samples(locale: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """By a name for the state: the template and its facts (all with a brand but the last)."""
    one = consent(locale)
    fresh = consent(
        locale,
        state="confirmed",
        requested_at=AT,
        ends_at=None,
        kept_until=None,
        form="newsletter",
        own_form=None,
        not_mailed=[],
        contested=False,
        confirmation_away=False,
        evidence="proven",
        text_hash=HASH,
        receipt={"event": EVENT, "commitment": CHECKSUM, "checkpoint": SEAL},
        story=[
            step(
                "requested",
                page_url="https://www.acme.example/spring/the-workshop-letter",
                rendered_by="script",
            ),
            step("mail_sent", code=250, reply="2.0.0 Ok: queued as 4Zq8x2K"),
            step("confirmed"),
        ],
    )
    ended = {
        **fresh,
        "state": "withdrawn",
        "kept_until": AT,
        "receipt": {**fresh["receipt"], "checkpoint": None},
        "story": [*fresh["story"], step("withdrawn")],
    }
    again = {
        **fresh,
        "form": "service.re-permission",
        "own_form": terms.in_words(terms.FORMS, "service.re-permission", locale),
        "story": [step("requested", rendered_by="mail"), *fresh["story"][1:]],
    }
    by_link = {
        **again,
        "form": "service.ask-again",
        "own_form": terms.in_words(terms.FORMS, "service.ask-again", locale),
    }
    stopped = {**fresh, "not_mailed": terms.not_mailed(Reason.RESTRICTED, locale)}
    contested = {
        **fresh,
        "requested_at": None,
        "form": None,
        "contested": True,
        "story": fresh["story"][1:],
    }
    overview = {
        "email": "ada@example.org",
        "language": locale,
        "profile": [(_LABEL[locale], "Ada")],
        "identifiers": [
            (translations(locale).gettext("Identifier in “%(system)s”") % {"system": "crm"}, "4711")
        ],
        "consents": [fresh, contested, {**ended, "title": "Updates"}],
        "csrf": "token",
        "restricted_at": None,
        "objected_at": None,
        "paused_until": None,
        "waiting": None,
        "processors": _PROCESSORS,
        "mails": [("3 March 2026", "Newsletter: News", "Acme", "Your consent", "Sent"), _LOGGED],
        "more_mails": 12,
        "periods": [("The proof of a consent, after its end", "3 years")],
    }
    other = consent(locale, purpose="updates", title="Updates")
    elsewhere = {
        **other,
        "sender": "Other",
        "sender_address": "news@other.example",
        "imprint_url": "https://www.other.example/imprint",
    }
    field = field_words.control(FormField(max_length=80, label=_LABEL), "first_name", locale)
    kinds = [field_words.control(one, name, locale) for name, one in _KINDS.items()]
    answered = [
        field_words.control(one, name, locale, _ANSWERS[name]) for name, one in _KINDS.items()
    ]
    flaws = {
        "role": "not_offered",
        "team": "out_of_range",
        "topics": "missing",
        "partner": "missing",
    }
    misfits = [
        {
            "field": f"profile.{name}",
            "code": f"field_{flaw}",
            "label": name.capitalize(),
            "range": "1 – 500",
        }
        for name, flaw in flaws.items()
    ]
    form = {
        "form": "newsletter",
        "action": "/forms/newsletter",
        "purposes": [one],
        "fields": [field],
        "email": "",
        "errors": [],
        "stamp": "stamp",
        "page_url": "http://localhost:8080/forms/newsletter",
        "notice_url": f"/notices/{HASH}",
        "others": [one for one in tongues() if one[0] != locale],
        "shown": {
            "withdraw": _WITHDRAW[locale],
            "controller": BRAND.controller,
            "contact": "privacy@acme.example",
        },
    }
    wrong = [
        {"field": "email", "code": "email_invalid"},
        {"field": "purpose", "code": "purpose_missing"},
        {"field": "profile.first_name", "code": "field_too_long"},
    ]
    listed = [{"label": "E-Mail", "code": "email_invalid"}, {"label": "", "code": "text_invalid"}]
    damaged = {**one, "title": "newsletter", "text": None, "locale": "", "sender": None}
    switch = {**one, "on": True, "waiting": False}
    waiting = {**other, "on": False, "waiting": True}
    both = {"off": {"elsewhere"}, "on": {"updates"}}
    link = {"fresh": False, "fresh_url": "/my-data"}
    own = {"fresh": True, "fresh_url": None}
    senders = {"senders": [{"sender": "acme", "name": "Acme"}]}
    contact = {"contact": "privacy@acme.example"}
    left = {"acknowledged": True, "again_url": "/again/" + "A" * 22}
    settled = [consent(locale, state="confirmed"), consent(locale, state="lapsed")]
    asked = {"fields": [], "may_reject": True, "nothing_ticked": False, "contested": False}
    asked["by_link"] = False
    entered = [{**field, "value": "Ada"}]
    objected = {**one, "hindrance": "objected"}
    kept_back = [
        consent(locale, state="confirmed", hindrance=why)
        for why in (
            "objected",
            "restricted",
            "suppressed_complaint",
            "suppressed_bounce",
            "not_covered",
            "purpose_unknown",
            "unproven",
        )
    ]
    notice = {
        "body": markdown.to_html("# Notice\n\nSome **text** with a [link](https://acme.example)."),
        "notice_locale": locale,
        "notice_hash": HASH,
        "published_at": AT,
    }
    facts: dict[str, tuple[str, dict[str, Any]]] = {
        "form": ("form", form),
        "form-two": ("form", {**form, "purposes": [one, other]}),
        "form-two-senders": ("form", {**form, "purposes": [one, elsewhere]}),
        "form-kinds": ("form", {**form, "fields": [field, *kinds]}),
        "form-kinds-errors": ("form", {**form, "fields": answered, "errors": misfits}),
        "confirm-kinds": ("confirm", {**asked, "consents": [one], "fields": answered}),
        "form-errors": ("form", {**form, "email": "ada", "errors": wrong}),
        "thanks": ("thanks", {}),
        "confirm": ("confirm", {**asked, "consents": [one], "fields": entered}),
        "confirm-two": ("confirm", {**asked, "consents": [one, other], "fields": entered}),
        "confirm-two-senders": ("confirm", {**asked, "consents": [one, elsewhere]}),
        "confirm-nothing-ticked": (
            "confirm",
            {**asked, "consents": [one, other], "nothing_ticked": True},
        ),
        "confirm-by-link": ("confirm", {**asked, "consents": [one], "by_link": True}),
        "confirm-contested": (
            "confirm",
            {
                **asked,
                "consents": [one, other],
                "fields": [{**field, "value": ""}],
                "contested": True,
            },
        ),
        "confirm-mixed": ("confirm", {**asked, "consents": [other, *settled]}),
        "confirm-already": ("confirm", {**asked, "consents": settled[:1]}),
        "confirm-settled": ("confirm", {**asked, "consents": settled[1:], "may_reject": False}),
        "confirm-damaged": ("confirm", {**asked, "consents": [damaged, other]}),
        "confirm-objected": ("confirm", {**asked, "consents": [objected]}),
        "confirm-anew": ("confirm_anew", {"consents": [one]}),
        "confirm-anew-damaged": ("confirm_anew", {"consents": [damaged]}),
        "confirm-anew-in-vain": ("confirm_anew", {"consents": [{**one, "hindrance": "objected"}]}),
        "confirmed": (
            "confirm_done",
            {
                "answer": "confirm",
                "consents": settled[:1],
                "receipts": [{"event": EVENT, "commitment": CHECKSUM}],
            },
        ),
        "confirmed-in-vain": ("confirm_done", {"answer": "confirm", "consents": kept_back}),
        "declined": (
            "confirm_done",
            {"answer": "decline", "anew": True, "consents": [consent(locale, state="rejected")]},
        ),
        "rejected-anew": (
            "confirm_done",
            {"answer": "reject", "anew": True, "consents": [consent(locale, state="rejected")]},
        ),
        "confirmed-in-part": (
            "confirm_done",
            {"answer": "confirm", "consents": [*settled[:1], kept_back[4], settled[1]]},
        ),
        "rejected": (
            "confirm_done",
            {"answer": "reject", "consents": [consent(locale, state="rejected")]},
        ),
        "confirm-nothing": ("confirm_done", {"answer": "confirm", "consents": settled[1:]}),
        "expired": ("expired", {"kind": "confirm"}),
        "expired-anew": ("expired", {"kind": "anew"}),
        "expired-fresh": (
            "expired",
            {"kind": "fresh", "again_url": "/my-data", "contact": "privacy@acme.example"},
        ),
        "mail-again": ("mail_again", {}),
        "again": ("again", {"named": one, "offered": True}),
        "again-asked": ("again_asked", {}),
        "again-neutral": ("again", {"named": None, "offered": False}),
        "again-over": ("again", {"named": damaged, "offered": False}),
        "unsubscribe": ("unsubscribe", {"named": one, "over": False}),
        "unsubscribe-over": ("unsubscribe", {"named": one, "over": True}),
        "unsubscribe-damaged": ("unsubscribe", {"named": damaged, "over": False}),
        "unsubscribe-neutral": ("unsubscribe", {"named": None, "over": False}),
        "unsubscribed": ("unsubscribed", {"named": one, **left}),
        "unsubscribed-neutral": (
            "unsubscribed",
            {"named": None, "acknowledged": False, "again_url": None},
        ),
        "stop": ("stop", dict(contact)),
        "stopped": ("stopped", dict(contact)),
        "why": ("why", {"consents": [one], "on": True, **link}),
        "why-over": ("why", {"consents": [one], "on": False, **link}),
        "why-fresh": ("why", {"consents": [fresh, ended], "on": True, **own}),
        "why-fresh-anew": ("why", {"consents": [again, by_link, stopped], "on": True, **own}),
        "why-fresh-away": (
            "why",
            {"consents": [{**contested, "confirmation_away": True}], "on": True, **own},
        ),
        "why-fresh-contested": ("why", {"consents": [contested], "on": True, **own}),
        "why-fresh-none": ("why", {"consents": [], "on": False, **own}),
        "why-neutral": ("why", {"consents": [], "on": False, **link}),
        "preferences": (
            "preferences",
            {"purposes": [switch], "switched": None, "csrf": None, **link},
        ),
        "preferences-saved": (
            "preferences",
            {"purposes": [switch, waiting], "switched": both, "csrf": "token", **own, **senders},
        ),
        "preferences-damaged": (
            "preferences",
            {
                "purposes": [{**damaged, "on": True, "waiting": False}],
                "switched": None,
                "csrf": None,
                **link,
            },
        ),
        "preferences-neutral": (
            "preferences",
            {"purposes": [], "switched": None, "csrf": None, **link},
        ),
        "about": ("about", dict(contact)),
        "my-data": ("my_data_ask", {"email": "", "problem": None}),
        "my-data-wrong": ("my_data_ask", {"email": "ada", "problem": "email_invalid"}),
        "my-data-asked": ("my_data_asked", dict(contact)),
        "my-data-open": ("my_data_open", {}),
        "my-data-overview": ("my_data", overview),
        "my-data-nothing": (
            "my_data",
            {
                **overview,
                "consents": [],
                "profile": [],
                "identifiers": [],
                "mails": [],
                "more_mails": 0,
            },
        ),
        "my-data-stopped": (
            "my_data",
            {
                **overview,
                "consents": [stopped, ended],
                "restricted_at": AT,
                "objected_at": AT,
                "paused_until": AT,
            },
        ),
        **desk_samples(locale),
        **case_samples(locale),
        **export_samples(locale),
        **log_samples(locale),
        **sent_samples(locale),
        **defence_samples(locale),
        **breach_samples(paper(locale).document()),
        "paper": ("paper", {"paper": paper(locale).document()}),
        **rights_samples(one),
        "notice": ("notice", notice),
        "problem": ("problem", {"errors": listed, "back_url": "/forms/newsletter"}),
        "problem-no-way-back": ("problem", {"errors": listed, "back_url": None}),
    }
    for name, values in facts.values():
        values["brand"] = BRAND
        if name == "confirm_done":
            values.setdefault("anew", False)
    for state in ("form-two-senders", "confirm-two-senders"):
        facts[state][1]["brand"] = TWO_SENDERS
    facts["why-two-senders"] = ("why", {**facts["why"][1], "brand": TWO_SENDERS})
    facts["thanks-branded"] = ("thanks", {"brand": BRANDED})
    for code in (400, 404, 410, 429, 500, 503):
        facts[f"error-{code}"] = ("error", {"code": code, "retry_after": None})
    facts["error-wait"] = ("error", {"code": 503, "retry_after": 5})
    return facts
