"""The script that shows a form on somebody else's page, and the HTML to paste for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Any

from consent import texts
from gateway.config.config import Config
from gateway.flows.joining import publish_texts
from gateway.look import looks, resources
from gateway.look.field_words import control
from gateway.look.translations import translations

_SPACE = re.compile(r"\s*\n\s*")
_FOR_US = re.compile(r"^ *//.*\n|^ +", re.MULTILINE)  # remarks, and how deep a line stands
_LINE_ENDS = re.compile(r"\n+")  # each of its statements has its semicolon


def script(config: Config, form: str) -> str:
    """The whole script of one form; the same until configuration or release change."""
    sender = config.sender_of(config.forms[form].purposes[0])
    settings = {
        "base": config.server.public_url,
        "form": form,
        "css": _style(sender.accent),
    }
    # "<" could end a script that somebody copies into a page.
    raw = json.dumps(settings, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")
    source = _LINE_ENDS.sub(" ", _FOR_US.sub("", _source("embed.js")))
    return source.replace("/*settings*/; ", f"{raw};\n", 1)


def snippet(config: Config, form: str, locale: str) -> str:
    """HTML to paste: the script, and inside its place the plain form that works without it.

    The plain form names the wordings as they are now: paste it anew when they change.
    """
    say = translations(locale).gettext
    url = f"{config.server.public_url}/forms/{form}"
    lines = [
        f'<div data-consent-form="{form}" data-locale="{locale}">',
        f'  <form method="post" action="{url}" accept-charset="utf-8">',
        *(f"    {line}" for line in _inputs(config, form, locale)),
        f'    <input type="hidden" name="locale" value="{locale}">',
        f'    <button type="submit">{escape(say("Sign up"))}</button>',
        *(f"    {line}" for line in _small_print(config, form, locale)),
        "  </form>",
        "</div>",
        f'<script src="{url}.js" async></script>',
    ]
    return "\n".join(lines)


def _inputs(config: Config, form: str, locale: str) -> list[str]:
    say = translations(locale).gettext
    lines = []
    for name, field in config.forms[form].fields.items():
        lines += _question(control(field, name, locale), say("Please choose"))
    email = '<input type="email" name="email" required maxlength="254" autocomplete="email">'
    lines.append(f"<p><label>{escape(say('Email address'))} {email}</label></p>")
    current = _current(config, form, locale)
    for shown in current:
        name, wording = shown["purpose"], escape(shown["text"])
        if len(current) > 1:
            wording = f"<b>{escape(shown['title'])}</b> {wording}"
        if len({one["sender"]["from_address"] for one in current}) > 1:
            wording += f" <i>{escape(shown['sender']['name'])}</i>"
        lines.append(
            f'<p><label><input type="checkbox" name="purpose" value="{name}"> {wording}</label></p>'
        )
        lines.append(f'<input type="hidden" name="text" value="{shown["hash"]}">')
    # A robot fills this in; people never see it.
    lines.append('<p hidden><label>Homepage <input name="homepage" autocomplete="off"></label></p>')
    return lines


def _question(one: Mapping[str, Any], choose: str) -> list[str]:
    """One field of the plain form; what its kind cannot keep out, the gateway does."""
    kind, named = one["kind"], f'name="profile.{escape(one["name"])}"'
    label, must = escape(one["label"]), " required" if one["required"] else ""
    offered = [(escape(each["value"]), escape(each["label"])) for each in one["options"]]
    note = f" <small>{escape(one['help'])}</small>" if one["help"] else ""
    if kind == "hidden":
        values = ", ".join(value for value, _ in offered)
        return [f'<input type="hidden" {named} value="{offered[0][0]}"> <!-- or: {values} -->']
    if kind == "multiple_choice":
        box = '<label><input type="checkbox" {} value="{}"> {}</label>'
        boxes = [f"  {box.format(named, value, said)}" for value, said in offered]
        return [f"<fieldset><legend>{label}</legend>{note}", *boxes, "</fieldset>"]
    if kind == "checkbox":
        tick = f'<input type="checkbox" {named} value="yes"{must}>'
        return [f"<p><label>{tick} {label}</label>{note}</p>"]
    if kind == "choice":
        first = f'<option value="">{escape(choose) if must else "–"}</option>'
        rest = [f'<option value="{value}">{said}</option>' for value, said in offered]
        return [
            f"<p><label>{label} <select {named}{must}>{first}",
            *rest,
            f"</select></label>{note}</p>",
        ]
    return [f"<p><label>{label} <input {named}{_typed(one)}{must}></label>{note}</p>"]


def _typed(one: Mapping[str, Any]) -> str:
    if one["kind"] == "text":
        return f' maxlength="{one["max_length"]}"'
    known = {key: one[key] for key in ("min", "max", "step") if one[key] is not None}
    return f' type="{one["kind"]}"' + "".join(f' {key}="{said}"' for key, said in known.items())


def _small_print(config: Config, form: str, locale: str) -> list[str]:
    """What else the hashes of the wordings cover: the script and the hosted page show it, too."""
    say = translations(locale).gettext
    current = _current(config, form, locale)
    bundle, controller = current[0], current[0]["controller"]
    notice = f"{config.server.public_url}/notices/{bundle['notice']}"
    senders = dict.fromkeys(_sender(shown, say("Imprint")) for shown in current)
    who = (controller["name"], controller["postal_address"], controller["contact"])
    return [
        f"<p>{escape(bundle['withdraw'])}",
        f'  <a href="{escape(notice)}">{escape(say("Privacy notice"))}</a><br>',
        *(f"  {line}<br>" for line in senders),
        f"  {escape(' · '.join(who))}</p>",
    ]


def _sender(shown: Mapping[str, Any], imprint: str) -> str:
    sender, url = shown["sender"], escape(shown["imprint_url"])
    named = escape(f"{sender['name']}, {sender['from_address']}")
    return f'{named} · <a href="{url}">{escape(imprint)}</a>'


def _current(config: Config, form: str, locale: str) -> list[dict[str, Any]]:
    """What the form asks for now, from the configuration: the same that a start publishes."""
    made, _ = publish_texts.bundles(config)
    shown = [{**json.loads(raw), "hash": texts.text_hash(raw)} for raw in made]
    by_purpose = {bundle["purpose"]: bundle for bundle in shown if bundle["locale"] == locale}
    return [by_purpose[name] for name in config.forms[form].purposes]


def words(locale: str) -> dict[str, str]:
    """What the script says by itself, in the language in which the form is shown."""
    say = translations(locale).gettext
    return {
        "email": say("Email address"),
        "optional": say("optional"),
        "consent": say("Your consent"),
        "submit": say("Sign up"),
        "notice": say("Privacy notice"),
        "imprint": say("Imprint"),
        "again": say("Please have another look"),
        "email_missing": say("Please enter your email address."),
        "email_invalid": say(
            "We cannot mail this address (no ä or é before the @). Example: name@example.org"
        ),
        "purpose_missing": say("Please tick what you would like to receive."),
        "field_missing": say("Please fill in this field."),
        "choice_missing": say("Please choose one of the answers that are offered."),
        "choose": say("Please choose"),
        "number": say("Please enter a number, such as 12."),
        "date": say("Please enter a day that exists."),
        "range": say("Please stay within %(range)s."),
        "field_invalid": say("This value cannot be accepted."),
        "changed": say(
            "The wording has changed in the meantime. Please read it again and send the form "
            "once more."
        ),
        "later": say("Please try again a little later."),
        "away": say("That did not work. Please try again in a moment."),
        "thanks": say("Please look into your mailbox"),
        "look": say(
            "One step is left: open the mail we send you and confirm that the address is yours. "
            "Before that we send confirmation mails only."
        ),
    }


@cache
def _style(accent: str | None) -> str:
    light, dark = looks.light(accent), looks.dark(accent)
    colours = {
        "/*light*/": light.colour,
        "/*on-light*/": light.on_colour,
        "/*dark*/": dark.colour,
        "/*on-dark*/": dark.on_colour,
    }
    style = _source("embed.css")
    for place, colour in colours.items():
        style = style.replace(place, colour)
    return _SPACE.sub("", style)


@cache
def _source(name: str) -> str:
    return (resources.templates() / "pages" / name).read_text("utf-8")
