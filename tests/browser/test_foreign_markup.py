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
from tests.browser.conftest import IN_A_BROWSER
from tests.support.hostile_markup import CASES, generated

pytestmark = IN_A_BROWSER
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


# Of each word of the footer, how its colour stands out from what is behind it (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const parts = (c) => (c.match(/[0-9.]+/g) || []).map(Number);
  const light = (c) => parts(c).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      const p = parts(c);
      if (p.length === 3 || p[3] === 1) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('.mail-footer p, .mail-footer a')].map((e) => {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_footer_can_be_read_on_screens_of_both_kinds(chromium: Any, scheme: str) -> None:
    page = await chromium.new_page(color_scheme=scheme)
    await page.route("**/*", lambda route: route.abort())
    unread = {}
    for name, source in CASES.items():
        await page.set_content(mail(source), wait_until="domcontentloaded")
        found = min(await page.evaluate(CONTRAST), default=0)
        if found < 4.5:
            unread[name] = found
    await page.close()

    assert unread == {}


FRAMELESS = (
    "<h2>Bread of the week</h2><p>Rye, spelt, and one more. "
    + "A sentence that goes on for a while. " * 8
    + '<a href="https://www.acme.example/">To the shop</a></p>'
    '<p><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width="1400" height="20" alt=""></p>'
)
FRAMED_LOOK = """() => {
  const card = document.querySelector('.mail-card');
  const style = getComputedStyle(card);
  return {
    wide: card.getBoundingClientRect().width,
    scrolls: document.scrollingElement.scrollWidth > innerWidth,
    ground: style.backgroundColor,
    ink: style.color,
    lang: document.documentElement.lang,
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_content_without_a_frame_looks_right(chromium: Any, width: int, scheme: str) -> None:
    page = await chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    await page.set_content(mail(FRAMELESS))
    look = await page.evaluate(FRAMED_LOOK)
    await page.close()

    dark = scheme == "dark"
    assert look.pop("wide") == pytest.approx(560 if width > 600 else width - 24, abs=2)
    assert look == {
        "scrolls": False,
        "ground": "rgb(23, 30, 27)" if dark else "rgb(255, 255, 255)",
        "ink": "rgb(230, 236, 233)" if dark else "rgb(24, 34, 30)",
        "lang": "en",
    }


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
