"""Whatever a sender's markup does, people see in a real browser how to leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from delivery import markup
from delivery.mime import Content
from delivery.templates import Templates
from gateway.look import resources
from gateway.look.looks import mail_look
from gateway.look.translations import translations
from tests.support.hostile_markup import CASES, generated

pytestmark = pytest.mark.wide
GENERATED = 200
LINKS = {
    name: f"https://gateway.example/{name}/tokentoken"
    for name in ("unsubscribe", "why", "preferences")
}
FRAME = {
    "locale": "en",
    "sender": {
        "name": "Acme",
        "postal_address": "Musterstr. 1, 10115 Berlin, Germany",
        "imprint_url": "https://www.acme.example/imprint",
        "privacy_url": "https://www.acme.example/privacy",
    },
    "controller": {"name": "Acme"},
    "look": mail_look(None, None),
    "links": LINKS,
    "consents": [{"title": "News"}],
}

# For each link of ours: is it there once, under nothing but the body, readable, and on top?
SEEN = """async (links) => {
  const found = {};
  for (const link of links) {
    const all = [...document.querySelectorAll(`.mail-footer a[href="${link}"]`)]
      .filter((a) => a.closest('.mail-footer').parentElement === document.body);
    if (all.length !== 1) { found[link] = `${all.length} times`; continue; }
    const a = all[0];
    a.scrollIntoView({block: 'center'});
    const box = a.getBoundingClientRect();
    const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const wrong = [];
    if (box.width < 10 || box.height < 8) wrong.push(`box ${box.width} x ${box.height}`);
    if (!hit || !a.contains(hit)) wrong.push(`under ${hit && hit.outerHTML.slice(0, 80)}`);
    for (let e = a; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.visibility !== 'visible' || style.opacity !== '1' || style.display === 'none'
          || style.filter !== 'none' || style.transform !== 'none' || style.clipPath !== 'none')
        wrong.push(`${e.tagName} ${style.display} ${style.visibility} ${style.opacity}`);
    }
    if (parseFloat(getComputedStyle(a).fontSize) < 12) wrong.push('small');
    if (wrong.length) found[link] = wrong.join('; ');
  }
  return found;
}"""


def documents() -> Iterator[tuple[str, str]]:
    yield from CASES.items()
    yield from ((f"generated {n}", one) for n, one in enumerate(generated(GENERATED)))


def mail(source: str) -> str:
    """As it leaves, also where it would have been refused: what waits from before goes on."""
    templates = Templates(resources.templates() / "mail", translations)
    said = Content("s", "t", markup.read(source).page)
    html = templates.inline(said, locale="en", frame=FRAME).html
    assert html is not None
    return html


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.timeout(600)
async def test_the_footer_is_seen_after_any_markup(chromium: Any, width: int) -> None:
    page = await chromium.new_page(viewport={"width": width, "height": 800})
    await page.route("**/*", lambda route: route.abort())
    unseen = {}
    for name, source in documents():
        await page.set_content(mail(source), wait_until="domcontentloaded")
        found = await page.evaluate(SEEN, list(LINKS.values()))
        if found:
            unseen[name] = (found, source)
    await page.close()

    assert unseen == {}


async def test_a_footer_that_a_sender_hides_would_be_noticed(chromium: Any) -> None:
    """The look itself is a test only if it can find something."""
    page = await chromium.new_page()
    seen = mail("<p>Hello</p>")
    hidden = {
        "a style": seen.replace("</head>", "<style>.mail-footer{opacity:0}</style></head>"),
        "a comment": seen.replace('<div class="mail-footer"', '<!-- <div class="mail-footer"'),
        "a cover": seen.replace(
            "</body>",
            '<div style="position:fixed;inset:0;z-index:2147483647;background:#fff"></div></body>',
        ),
        "an element": seen.replace(
            '<div class="mail-footer"', '<b hidden><div class="mail-footer"'
        ),
    }

    for name, document in hidden.items():
        await page.set_content(document)
        found = await page.evaluate(SEEN, list(LINKS.values()))
        assert (name, len(found)) == (name, len(LINKS))
    await page.close()


SENDERS = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" lang="de"><head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8" /><title>Neues</title>
<style type="text/css">
  body { margin: 0; background: #eeeeee; } .card { background: #ffffff; padding: 20px; }
  h1, h2 { color: #aa0000; } a:hover { color: red !important }
  @media (max-width: 480px) { .card { padding: 4px !important; } }
</style></head>
<body bgcolor="#eeeeee"><div style="display:none;max-height:0">Vorschau</div>
<!--[if mso]><table><tr><td><![endif]-->
<table width="600" align="center" cellpadding="0"><tr><td class="card">
<h1>Neues aus der Backstube</h1><p>Brot <b>und</b> Kuchen<br />frisch &amp; gut
<p>Mehr <a href="https://www.acme.example/?a=1&amp;b=2">im Laden</a>
<ul><li>Roggen<li>Dinkel</ul></td></tr></table>
<!--[if mso]></td></tr></table><![endif]--></body></html>"""


async def test_an_ordinary_mail_looks_as_it_was_written(chromium: Any) -> None:
    page = await chromium.new_page(viewport={"width": 800, "height": 800})
    look = """() => ({
      text: document.querySelector('table').innerText.trim(),
      colour: getComputedStyle(document.querySelector('h1')).color,
      ground: getComputedStyle(document.querySelector('.card')).backgroundColor,
      padding: getComputedStyle(document.querySelector('.card')).paddingTop,
      link: document.querySelector('.card a').href,
      left: document.querySelector('table').getBoundingClientRect().x,
      items: document.querySelectorAll('li').length,
    })"""
    await page.set_content(SENDERS)
    written = await page.evaluate(look)

    await page.set_content(mail(SENDERS))
    became = await page.evaluate(look)
    await page.close()

    assert became == written
