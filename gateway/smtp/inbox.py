"""The local inbox: receives over real SMTP, keeps each mail as a file, shows it on a page.

For trying things out and for tests: nothing leaves the machine. It accepts every
mail, so it listens on loopback unless the configuration says otherwise.
"""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from weakref import WeakSet

import dkim
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from delivery import charsets
from gateway.http import hosts, pages
from gateway.http.places import Place, taken
from gateway.look import resources
from gateway.smtp import mail_fields
from storage import files
from storage.clock import Clock, DatabaseClock
from storage.ids import moment_of, ordered_id

if TYPE_CHECKING:
    from gateway.config.config import Inbox

_NAME: Final = re.compile(r"mail_[0-9a-v]{26}\Z")
_LARGEST: Final = 40_000_000
_SHOWN: Final = 500
_LONGEST_ASKED: Final = 200
_SANDBOX: Final = (
    # Its script does not run; that it is of our origin lets the page around it see how high it is.
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-same-origin; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'self'"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What became of one DKIM-Signature field."""

    domain: str
    selector: str
    valid: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list."""

    name: str
    sender: str
    subject: str
    recipient: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, taken apart for reading."""

    summary: Summary
    fields: list[tuple[str, str]]
    text: str | None
    html: str | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class OpenInbox:
    """Where an open inbox can be reached."""

    smtp_host: str
    smtp_port: int
    url: str
    folder: Path


class Folder:
    """Mails as files, one each, named so that they sort by arrival."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def store(self, raw: bytes, now: datetime) -> str:
        """Keep one mail; it appears whole or not at all, and survives what follows."""
        name = ordered_id("mail", now)
        files.make_folder(self.path)
        files.create(self.path / f"{name}.eml", raw)
        return name

    def keep_private(self) -> None:
        """Mails are kept in clear: those that an older release left open to others, too."""
        for path in self.path.glob("mail_*.eml"):
            files.keep_private(path)

    def names(self) -> list[str]:
        """All mails, newest first."""
        return sorted((path.stem for path in self.path.glob("mail_*.eml")), reverse=True)

    def delete(self, names: Iterable[str]) -> None:
        """Delete these mails; names that are not ours, and mails that are gone, are passed over."""
        for name in names:
            if _NAME.match(name):
                (self.path / f"{name}.eml").unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """The bytes as they were received; None for a name that is not one of ours."""
        if not _NAME.match(name):
            return None
        try:
            return (self.path / f"{name}.eml").read_bytes()
        except FileNotFoundError:
            return None


class Receiver:
    """aiosmtpd's handler: every recipient exists, every mail is welcome."""

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answer 250 only when the mail is on the disk."""
        # Delivered-To stands above the signed fields, as any server would put it.
        heads = b"".join(b"Delivered-To: %s\r\n" % name.encode() for name in envelope.rcpt_tos)
        content = envelope.original_content or b""
        await asyncio.to_thread(self._folder.store, heads + content, self._clock.wall())
        return "250 2.0.0 kept"


def read_mail(name: str, raw: bytes) -> Mail:
    """Take a mail apart; whatever it holds, this does not fail."""
    parsed = email.message_from_bytes(raw, policy=email.policy.default.clone(max_line_length=None))
    assert isinstance(parsed, EmailMessage)  # noqa: S101 what the default policy makes
    return Mail(
        summary=summarise(name, raw),
        fields=mail_fields.of(parsed),
        text=_part(parsed, "plain"),
        html=_part(parsed, "html"),
        raw=raw,
    )


def summarise(name: str, raw: bytes) -> Summary:
    """Read the header only, so that a long list of long mails stays quick."""
    header = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    parsed = email.message_from_bytes(header, policy=email.policy.default)
    said = {field.lower(): value for field, value in reversed(mail_fields.of(parsed))}
    return Summary(
        name=name,
        sender=said.get("from", ""),
        subject=said.get("subject", ""),
        recipient=said.get("to", said.get("delivered-to", "")),
        received_at=moment_of(name),
    )


def verify(raw: bytes, records: Mapping[str, str]) -> list[Signature]:
    """Check every signature with dkimpy; *records* (name to TXT value) stand in for the DNS."""
    known = {name.rstrip(".").lower(): value.encode() for name, value in records.items()}

    def answer(name: bytes, timeout: int = 5) -> bytes | None:
        return known.get(name.decode("ascii", "replace").rstrip(".").lower())

    try:
        header, _ = dkim.rfc822_parse(raw)
    except dkim.MessageFormatError:
        return []
    fields = [value for key, value in header if key.lower() == b"dkim-signature"]
    return [_verdict(raw, number, value, answer) for number, value in enumerate(fields)]


def inbox_app(folder: Folder, records: Mapping[str, str], host: str) -> web.Application:
    """The pages: the list, one mail, its HTML part in a sandbox, its bytes."""
    site = _Site(folder, records)
    app = web.Application(middlewares=[hosts.only_own(host)])
    app.router.add_get("/", site.overview)
    app.router.add_post("/delete", site.delete)
    app.router.add_get("/newest", site.newest)
    app.router.add_get("/mails/{name}", site.mail)
    app.router.add_post("/mails/{name}/delete", site.delete)
    app.router.add_get("/mails/{name}/html", site.html)
    app.router.add_get("/mails/{name}/raw", site.raw)
    return app


@asynccontextmanager
async def open_inbox(
    config: Inbox, dns_records: Mapping[str, str], clock: Clock | None = None
) -> AsyncIterator[OpenInbox]:
    """Receive and show mails until the block is left; port 0 takes any free one.

    *dns_records* are the TXT records that the DKIM verdict counts as published.
    """
    folder = Folder(Path(config.folder))
    await asyncio.to_thread(folder.keep_private)
    loop = asyncio.get_running_loop()
    receiver = Receiver(folder, clock or DatabaseClock())
    talking: WeakSet[SMTP] = WeakSet()

    def answer() -> SMTP:
        session = SMTP(receiver, loop=loop, hostname="inbox.localhost", data_size_limit=_LARGEST)
        talking.add(session)
        return session

    async with (
        taken(config.smtp, "delivery.inbox.smtp") as smtp,
        taken(config.listen, "delivery.inbox.listen") as page,
    ):
        runner = web.AppRunner(inbox_app(folder, dns_records, config.listen.host), access_log=None)
        servers = await _serving(smtp, answer)
        try:
            await runner.setup()
            await page.serve(runner)
            url = "http://{}:{}".format(*page.bound)
            yield OpenInbox(config.smtp.host, smtp.bound.port, url, folder.path)
        finally:
            await runner.cleanup()
            await _end(servers, talking)


async def _serving(place: Place, answer: Callable[[], SMTP]) -> list[asyncio.Server]:
    place.open()
    loop = asyncio.get_running_loop()
    return [await loop.create_server(answer, sock=one) for one in place.sockets]


async def _end(servers: Iterable[asyncio.Server], talking: Iterable[SMTP]) -> None:
    for server in servers:
        server.close()
    for session in talking:  # a client that keeps its connection must not keep us
        if session.transport is not None:
            session.transport.close()
    for server in servers:
        await server.wait_closed()


class _Site:
    """The handlers; they read the folder anew each time, so a restart loses nothing."""

    def __init__(self, folder: Folder, records: Mapping[str, str]) -> None:
        self._folder = folder
        self._records = records

    async def overview(self, request: web.Request) -> web.Response:
        asked = request.query.get("q", "").strip()[:_LONGEST_ASKED]
        names = await asyncio.to_thread(self._folder.names)
        mails = await asyncio.to_thread(self._summaries, names, asked)
        script = _script("inbox.js")
        newest = names[0] if names else ""
        facts: dict[str, Any] = {"mails": mails, "count": len(names), "newest": newest}
        page = pages.response(request, "inbox_list", script=script, asked=asked, **facts)
        _allow(page, f"script-src '{_digest(script)}'; connect-src 'self'")
        return page

    async def delete(self, request: web.Request) -> web.Response:
        """One mail, or all of them; asked for by our own pages only."""
        if not _is_ours(request):
            raise web.HTTPForbidden(text="Another page asked for this.")
        name = request.match_info.get("name")
        names = self._folder.names() if name is None else [name]
        await asyncio.to_thread(self._folder.delete, names)
        raise web.HTTPSeeOther("/" + pages.chosen_of(request))

    async def newest(self, request: web.Request) -> web.Response:
        """The newest mail's name, so that an open list can notice it."""
        names = self._folder.names()
        headers = {"Cache-Control": "no-store"}
        return web.Response(text=names[0] if names else "", headers=headers)

    async def mail(self, request: web.Request) -> web.Response:
        mail = await self._wanted(request)
        signatures = await asyncio.to_thread(verify, mail.raw, self._records)
        script = _script("inbox_mail.js")
        facts: dict[str, Any] = {"mail": mail, "signatures": signatures}
        facts["notable"] = _notable(mail)
        page = pages.response(request, "inbox_mail", script=script, **facts)
        _allow(page, f"frame-src 'self'; script-src '{_digest(script)}'")
        return page

    async def html(self, request: web.Request) -> web.Response:
        """The HTML part in a sandbox of its own: no script, no loads; links open outside."""
        mail = await self._wanted(request)
        if mail.html is None:
            raise web.HTTPNotFound
        headers = {
            "Content-Security-Policy": _SANDBOX,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        text = re.sub(r"(?i)<head>", '<head><base target="_blank">', mail.html, count=1)
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def raw(self, request: web.Request) -> web.Response:
        mail = await self._wanted(request)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=mail.raw, content_type="text/plain", headers=headers)

    async def _wanted(self, request: web.Request) -> Mail:
        name = request.match_info["name"]
        raw = await asyncio.to_thread(self._folder.read, name)
        if raw is None:
            raise web.HTTPNotFound
        return read_mail(name, raw)

    def _summaries(self, names: list[str], asked: str) -> list[Summary]:
        """The newest; of those that have all the words of *asked*, where anything is."""
        words = asked.casefold().split()
        some = ((name, self._folder.read(name)) for name in names[:_SHOWN])
        return [summarise(name, raw) for name, raw in some if raw and _has(name, raw, words)]


def _has(name: str, raw: bytes, words: list[str]) -> bool:
    if not words:
        return True
    mail = read_mail(name, raw)
    head = mail.summary
    said = "\n".join([head.subject, head.sender, head.recipient, mail.text or mail.html or ""])
    return all(word in said.casefold() for word in words)


def _script(name: str) -> str:
    return (resources.templates() / "pages" / name).read_text("utf-8")


def _digest(script: str) -> str:
    """By which a policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _allow(page: web.Response, policy: str) -> None:
    page.headers["Content-Security-Policy"] += f"; {policy}"
    # Or its forms would not say where they were.
    page.headers["Referrer-Policy"] = "same-origin"


def _is_ours(request: web.Request) -> bool:
    """Whether no browser says that another site's page asks.

    On plain http they say it by `Origin` alone, but to this very machine. What is no
    browser says nothing.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc == request.host


def _part(parsed: EmailMessage, kind: str) -> str | None:
    body = parsed.get_body((kind,))
    if body is None:
        return None
    payload: Any = body.get_payload(decode=True)
    try:
        text = charsets.decoded(bytes(payload), body.get_content_charset("utf-8"), "replace")
    except ValueError:
        text = bytes(payload).decode("utf-8", "replace")
    return text.replace("\r\n", "\n")


def _notable(mail: Mail) -> list[tuple[str, str]]:
    shown = ("from", "to", "date", "list-unsubscribe", "list-unsubscribe-post", "message-id")
    return [(key, value) for key, value in mail.fields if key.lower() in shown]


def _verdict(raw: bytes, number: int, field: bytes, answer: Any) -> Signature:
    domain = _tag(field, b"d")
    selector = _tag(field, b"s")
    try:
        valid = dkim.DKIM(raw).verify(number, answer)
    except (dkim.DKIMException, ValueError) as error:
        return Signature(domain, selector, False, type(error).__name__)
    return Signature(domain, selector, bool(valid))


def _tag(field: bytes, name: bytes) -> str:
    found = re.search(rb"(?:^|;)\s*%s\s*=\s*([^;\s]+)" % name, field)
    return found[1].decode("ascii", "replace") if found else ""
