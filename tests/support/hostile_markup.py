"""HTML that is meant to swallow or hide what comes after it, or to take long."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random  # noqa: TID251 the same documents each time

from delivery.tags import names

# What people met, and of the same kinds: each hid the footer, or could.
CASES = {
    "a comment left open": "<p>Hello</p><!-- promo",
    "an end of the body in a comment": "<p>Hello</p></body></html><!-- </body> note -->",
    "a style left open": "<p>Hello</p><style>p { color: red }",
    "a textarea left open": "<p>Hello</p><textarea>",
    "a template left open": "<p>Hello</p><template>",
    "a title left open": "<p>Hello</p><title>News",
    "a script left open": "<p>Hello</p><script>var a = 1",
    "a tag left open": '<p>Hello</p><img alt="x',
    "a hidden element left open": '<p>Hello</p><div style="display:none">x',
    "a sheet that colours": "<style>p{color:red}</style><p>Hello</p>",
    "a sheet that hides all": "<style>*{display:none}</style><p>Hello</p>",
    "a sheet that hides the body": "<style>html,body{display:none!important}</style><p>Hello</p>",
    "a sheet that hides the root": "<style>:root{visibility:hidden}</style><p>Hello</p>",
    "a sheet that hides the last": "<style>body>:last-child{display:none}</style><p>Hello</p>",
    "a sheet that looks around": "<style>:has(p) ~ *{display:none}</style><p>Hello</p>",
    "a sheet that knows our footer": (
        "<style>.mail-footer,.mail-footer *{display:none!important}"
        ".mail-frame+div{display:none}.mail-frame~*{opacity:0}</style><p>Hello</p>"
    ),
    "a sheet that begins beside us": "<style>~ *{display:none!important}</style><p>Hello</p>",
    "a sheet that begins with the next": (
        "<style>p,/**/ + div{position:absolute;left:-9999px}</style><p>Hello</p>"
    ),
    "a sheet that names nothing": (
        "<style>p, ,b{margin-bottom:-3000px!important}</style><p>Hello</p>"
    ),
    "rules in rules": "<style>p{:root:has(&) *{display:none}}</style><p>Hello</p>",
    "a string in a sheet": '<style>p{content:"}*{display:none}"}</style><p>Hello</p>',
    "an address in a sheet": "<style>p{background:url(a'b)}*{display:none}'{}</style><p>x</p>",
    "an escape in a sheet": '<style>p{a:"\\"}*{display:none}"}\\2a{display:none}</style><p>x</p>',
    "a group left open": "<style>@media all{*{display:none}</style><p>Hello</p>",
    "a layer": "<style>@layer a{*{display:none}}@scope{*{display:none}}</style><p>Hello</p>",
    "a font without letters": (
        "<style>@font-face{font-family:Arial;src:url(data:font/woff,x);size-adjust:0%}"
        "@font-face{font-family:sans-serif;src:local(x)}</style><p>Hello</p>"
    ),
    "a sheet for some screens": '<style media="all">*{display:none}</style><p>Hello</p>',
    "a cover": (
        '<div style="position:fixed;inset:0;background:#fff;z-index:2147483647">Hello</div>'
    ),
    "a cover by class": (
        "<style>.c{position:fixed;top:0;left:0;width:100vw;height:100vh;z-index:99999;"
        'background:#fff}</style><div class="c">Hello</div>'
    ),
    "a margin that pulls": '<div style="margin-bottom:-9999px;height:10px">Hello</div>',
    "a height that pushes": '<div style="height:99999999px">Hello</div>',
    "a float": '<div style="float:left;width:100%;height:3000px;background:#fff">Hello</div>',
    "a body that is hidden": '<body style="display:none"><p>Hello</p>',
    "a body without height": '<body style="height:0;overflow:hidden;opacity:0"><p>Hello</p>',
    "a root that is hidden": '<html hidden style="transform:scale(0)"><p>Hello</p>',
    "a select left open": "<p>Hello</p><select><option>",
    "a drawing left open": "<p>Hello</p><svg><desc>",
    "a formula left open": "<p>Hello</p><math><annotation-xml>",
    "frames": "<frameset><frame></frameset><noframes>Hello",
    "plain text": "<p>Hello</p><plaintext>",
    "details left open": "<p>Hello</p><details><summary>More</summary>",
    "a dialog left open": "<p>Hello</p><dialog>",
    "an object left open": "<p>Hello</p><object><video><audio><canvas>",
    "no scripts": "<p>Hello</p><noscript><iframe>",
    "a list of choices": "<p>Hello</p><datalist>",
    "a table left open": '<p>Hello</p><table style="display:none"><tr><td>',
    "a table in a table's row": '<table hidden><tr><table><tr><b style="display:none">x',
    "a hidden link in a table": '<a hidden><table><a hidden href="https://x.example/"><td>x',
    "formatting in the wrong order": '<b style="display:none"><p><i hidden></b>x</i></p>',
    "many of the same": '<p><font style="display:none">' * 30,
    "a text that is small": '<font size="1"><big style="font-size:0;color:transparent">x',
    "a text that goes the other way": '<bdo dir="rtl"><div style="writing-mode:vertical-rl">x',
    "a quote in a name": '<p a"b="><!-- \'>Hello',
    "an end that is none": "<style>p{}</style ><p>Hello</p></style/><xmp></xmp",
    "a base": '<base href="https://x.example/"><meta http-equiv="refresh" content="0">Hello',
    "a script that removes": (
        "<script>document.querySelector('.mail-footer').remove()</script>"
        '<img src="x" onerror="document.body.innerHTML=\'\'">Hello'
    ),
    "numbers without end": f'<title>&#{"1" * 5000}</title><a href="&#{"1" * 5000}">&#{"1" * 5000}',
    "all that is important": "<style>*{display:none!important}</style><p>Hello</p>",
    "all that a footer is": (
        "<style>footer,div,table,td,p,a{display:none!important;font-size:0!important}</style>Hello"
    ),
    "the last of the body": (
        "<style>body>*:last-child,body>div+div,html>body>div:nth-child(n)"
        "{position:absolute!important;left:-9999px!important}</style><p>Hello</p>"
    ),
    "all of every screen": (
        "<style>@media all{@media (min-width:0){*{visibility:hidden!important;font-size:0}}}"
        "@supports (display:grid){body *{opacity:0!important}}</style><p>Hello</p>"
    ),
    "a root without letters": (
        '<html style="font-size:0;line-height:0;color:transparent"><body style="font:0/0 a">Hello'
    ),
    "a root that is dark": (
        '<html style="color-scheme:only dark"><style>:root{color-scheme:dark;'
        "--accent:#000;background:#000!important}*{color:#000!important}</style>Hello"
    ),
    "a room that is too small": (
        '<body style="height:1px;max-height:1px;overflow:hidden;position:fixed"><div'
        ' style="margin:-500px;margin-bottom:-99999px;height:100vh">Hello'
    ),
    "all that has a name of ours": (
        "<style>.mail-footer,.mail-footer-ground,.mail-footer-words,.mail-card,.mail-ground,"
        ".mail-frameless,[class^=mail],[lang],:not(p){all:unset!important;display:none!important}"
        "</style><p>Hello</p>"
    ),
    "a container that looks": (
        "<style>body:has(p){display:none}@container (min-width:0){*{display:none}}"
        ":is(*,div)>:where(*){scale:0}::part(x){a:b}:host{display:none}</style><p>Hello</p>"
    ),
    "pictures on top": (
        '<img style="position:fixed;top:0;left:0;width:100vw;height:100vh;z-index:2147483647"'
        ' alt="Hello" src="data:image/png;base64,x">'
    ),
    "a mode of mixing": (
        '<div style="mix-blend-mode:difference;filter:invert(1);backdrop-filter:blur(90px);'
        'position:fixed;inset:0;z-index:2147483647">Hello</div>'
    ),
    "very deep": '<div style="display:none">' * 700,
}
_PIECES = (
    "Hello ", "&lt;", "<", ">", '"', "'", "\n", "-->", "]]>", "<![CDATA[", "<?php ", "<!doctype x>",
    "<!--", "<!-- x -->", "<![if !mso]>", "<!--[if mso]>", "</", "<a ", '<a href="', "<p class='",
    "</body>", "</html>", "<body hidden>", '<html style="display:none">', "<head>", "</head>",
    "<style>", "</style>", "*{display:none}", "body{opacity:0}", "}", "{", "/*", "*/",
    "@media all{", ".mail-footer{display:none}", "<title>", "</title>", "<textarea>", "</textarea>",
    "<script>", "</script>", "<xmp>", "<template>", "</template>", "<select>",
    "<option>", "</select>", "<svg>",
    "<title/>", "<math>", "<mtext>", "<foreignObject>", "<noscript>", "<iframe>", "<plaintext>",
    "<object>", "<details>", "<dialog>", "<button>", "<form>", "<input>", "<fieldset>", "<nobr>",
    "<frameset>", "<ruby><rt>", "<marquee>", "<audio>", "<canvas>",
)  # fmt: skip
_NAMES = sorted(
    names(
        "a b font span div p center table tbody tr td th caption colgroup col ul ol li dl dt dd h1"
        " h2 pre blockquote section img br hr small u"
    )
)
_STYLES = (
    "", " hidden", ' style="display:none"', ' style="visibility:hidden;opacity:0"',
    ' style="position:fixed;inset:0;background:#fff;z-index:2147483647"', ' class="mail-footer"',
    ' style="position:absolute;top:0;height:9000px;width:100%;background:#fff"', ' align="left"',
    ' style="float:left;margin:-999px;height:50vh;width:100vw;background:red"',
    ' style="transform:translateY(500px) scale(40);background:#fff;position:relative;z-index:9"',
)  # fmt: skip


def generated(count: int, seed: int = 10) -> Iterator[str]:
    """As many documents made of pieces that hide, swallow, open and close, in no order."""
    dice = Random(seed)  # noqa: S311
    for _ in range(count):
        yield "".join(_piece(dice) for _ in range(dice.randint(3, 40)))


def _piece(dice: Random) -> str:
    kind = dice.random()
    if kind < 0.35:
        return dice.choice(_PIECES)
    if kind < 0.5:
        return "Hello "
    name = dice.choice(_NAMES)
    return f"</{name}>" if kind < 0.65 else f"<{name}{dice.choice(_STYLES)}>"


# What is repeated to take long: each a way to let a reader look again at what it has seen.
SEEDS = (
    "<", "</a>", "<!--", "&", "<a ", "<a href='", '<p a="', "</", "<?", "<![", "<title>", "&#",
    "<a x='\">", "<div>", "<p>", "<b>", "<td>", "<table>", "<li>", "<ul><li>", "<a>", "<table><tr>",
    "<a href=x>", "</p>", "<style>", "<style>p{", "</style", "</style ", "<style>a{}</style>",
    "<style>/*", "<style>@media x{", "<b></p>", "<p><span>", "<dd><dl>", "<svg>", "<select>", "x ",
    "<img>", "<h1>", "=", "<a =", "<a b = ", "\"'", "<title></title", "<td><b>", "x</a>", "<i><p>",
)  # fmt: skip
