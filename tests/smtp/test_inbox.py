from __future__ import annotations

import asyncio
import base64
import re
import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.config.config import Inbox
from gateway.config.fields import Listen
from gateway.smtp.inbox import Folder, OpenInbox, open_inbox, verify
from tests.support.clock import SteppedClock

Send = Callable[[bytes], Awaitable[None]]
Signing = tuple[bytes, dict[str, str]]

HOSTILE = "<html><head></head><body><script>alert(1)</script><a href='https://a.example/x'>x</a>"
MAIL = (
    b"From: Acme <news@acme.example>\r\nTo: ada@example.org\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"List-Unsubscribe: <https://gateway.example/unsubscribe/token>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"Read <https://gateway.example/confirm/token>.\r\n..leading dots\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + HOSTILE.encode() + b"\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def signing() -> Signing:
    """A private key, and the record that publishes it."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    value = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    return private, {"s1._domainkey.acme.example": value}


@pytest.fixture
async def inbox(tmp_path: Path, signing: Signing, clock: SteppedClock) -> AsyncIterator[OpenInbox]:
    free = Listen("127.0.0.1", 0)
    settings = Inbox.model_construct(listen=free, smtp=free, folder=tmp_path / "inbox")
    async with open_inbox(settings, signing[1], clock) as opened:
        yield opened


@pytest.fixture
def send(inbox: OpenInbox) -> Send:
    async def send(raw: bytes) -> None:
        def talk() -> None:
            with smtplib.SMTP(inbox.smtp_host, inbox.smtp_port, timeout=60) as client:
                client.sendmail("bounce@acme.example", ["ada@example.org"], raw)

        await asyncio.to_thread(talk)

    return send


async def get(url: str) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def test_a_mail_is_kept_byte_for_byte(inbox: OpenInbox, send: Send) -> None:
    await send(MAIL)

    (name,) = Folder(inbox.folder).names()
    assert Folder(inbox.folder).read(name) == b"Delivered-To: ada@example.org\r\n" + MAIL
    assert [path.name for path in inbox.folder.iterdir()] == [f"{name}.eml"]


async def test_the_list_shows_the_newest_first(
    inbox: OpenInbox, send: Send, clock: SteppedClock
) -> None:
    await send(MAIL)
    clock.step(timedelta(seconds=2))
    await send(MAIL.replace(b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", b"Second"))

    _, text, _ = await get(inbox.url)

    assert text.index("Second") < text.index("Grüße")
    _, newest, _ = await get(f"{inbox.url}/newest")
    assert newest == Folder(inbox.folder).names()[0]


async def test_links_of_a_mail_can_be_followed(inbox: OpenInbox, send: Send) -> None:
    await send(MAIL)

    status, text, _ = await get(f"{inbox.url}/mails/{Folder(inbox.folder).names()[0]}")

    assert status == 200
    assert '<a href="https://gateway.example/confirm/token"' in text
    assert '<a href="https://gateway.example/unsubscribe/token"' in text
    assert "Not signed" in text


async def test_a_mail_is_read_in_each_language_which_its_links_keep(
    inbox: OpenInbox, send: Send
) -> None:
    await send(MAIL)
    german = {"Accept-Language": "de"}
    async with aiohttp.ClientSession(inbox.url, headers=german) as session:
        (name,) = re.findall(r'href="(/mails/[^"?]+)"', await text_of(session, "/"))
        page = await text_of(session, f"{name}?locale=en")
        listed = await text_of(session, "/?locale=en")
        async with session.post(
            f"{name}/delete?locale=en", headers={"Sec-Fetch-Site": "same-origin"}
        ) as after:
            deleted = await after.text()

    assert {'href="?locale=de"', 'href="?locale=fr"'} <= set(page.split()), "others are offered"
    assert 'href="/?locale=en"' in page
    assert f'href="{name}?locale=en"' in listed
    for one in (page, listed, deleted):
        assert '<html lang="en"' in one


async def text_of(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        return await answer.text()


async def test_html_of_a_mail_is_shown_in_a_sandbox_only(inbox: OpenInbox, send: Send) -> None:
    await send(MAIL)
    name = Folder(inbox.folder).names()[0]

    _, page, _ = await get(f"{inbox.url}/mails/{name}")
    _, part, headers = await get(f"{inbox.url}/mails/{name}/html")

    assert page.count("<script") == 1, "ours, which makes the frame as high as its mail"
    assert "alert(1)" not in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox allow-same-origin"' in page
    assert "allow-scripts" not in page + headers["Content-Security-Policy"]
    assert '<base target="_blank">' in part
    assert headers["Content-Security-Policy"].startswith("sandbox allow-popups")
    assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_the_raw_mail_is_text(inbox: OpenInbox, send: Send) -> None:
    await send(MAIL)

    _, text, headers = await get(f"{inbox.url}/mails/{Folder(inbox.folder).names()[0]}/raw")

    assert headers["Content-Type"] == "text/plain"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "List-Unsubscribe: <https://" in text


async def test_a_page_of_a_stranger_cannot_have_a_browser_read_the_mails(
    inbox: OpenInbox, send: Send
) -> None:
    await send(MAIL)

    for path in ("/", "/newest"):
        async with aiohttp.ClientSession() as http:
            headers = {"Host": f"evil.example:{inbox.url.rpartition(':')[2]}"}
            async with http.get(inbox.url + path, headers=headers) as answer:
                assert answer.status == 421
                assert b"example.org" not in await answer.read()


async def test_a_signature_is_checked(inbox: OpenInbox, send: Send, signing: Signing) -> None:
    await send(dkim.sign(MAIL, b"s1", b"acme.example", signing[0]) + MAIL)

    _, text, _ = await get(f"{inbox.url}/mails/{Folder(inbox.folder).names()[0]}")

    assert "DKIM valid: acme.example" in text


def test_a_changed_mail_fails_the_check(signing: Signing) -> None:
    signed = dkim.sign(MAIL, b"s1", b"acme.example", signing[0]) + MAIL

    (good,) = verify(signed, signing[1])
    (changed,) = verify(signed.replace(b"leading dots", b"other dots"), signing[1])
    (unknown,) = verify(signed, {})

    assert (good.valid, good.domain, good.selector) == (True, "acme.example", "s1")
    assert not changed.valid
    assert not unknown.valid


@pytest.mark.parametrize("name", ["mail_x", "..%2f..%2fetc%2fpasswd", "mail_" + "0" * 26])
async def test_a_name_that_is_none_of_ours_is_not_found(inbox: OpenInbox, name: str) -> None:
    status, _, _ = await get(f"{inbox.url}/mails/{name}")

    assert status == 404


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"no header at all", id="no header"),
        pytest.param(
            b"Subject: =?x?q?a?=\r\nContent-Type: text/plain; charset=none\r\n\r\n\xff",
            id="charset",
        ),
        pytest.param(b"DKIM-Signature: v=9\r\nFrom: a\r\n\r\nx", id="signature"),
        pytest.param(b"Content-Type: multipart/mixed\r\n\r\nx", id="no boundary"),
        pytest.param(b"From: =?utf-8?q?a=0Ab?= <a@b.example>\r\n\r\n", id="a line in a name"),
        pytest.param(b"From: <\r\nTo: a@[\r\nMessage-ID: <[>\r\n\r\n", id="broken addresses"),
    ],
)
async def test_a_broken_mail_is_shown_all_the_same(inbox: OpenInbox, raw: bytes) -> None:
    name = Folder(inbox.folder).store(raw, SteppedClock().wall())

    statuses = [(await get(url))[0] for url in (inbox.url, f"{inbox.url}/mails/{name}")]

    assert statuses == [200, 200]


async def test_a_client_that_stays_connected_does_not_keep_the_inbox_open(tmp_path: Path) -> None:
    free = Listen("127.0.0.1", 0)
    settings = Inbox.model_construct(listen=free, smtp=free, folder=tmp_path)
    async with asyncio.timeout(60):
        async with open_inbox(settings, {}) as opened:
            reader, writer = await asyncio.open_connection(opened.smtp_host, opened.smtp_port)
            greeting = await reader.readline()

        assert greeting.startswith(b"220 ")
        assert await reader.read() == b""
        writer.close()


async def test_mails_are_searched_by_every_word_of_head_and_text(
    inbox: OpenInbox, send: Send
) -> None:
    await send(MAIL)
    other = b"From: shop@other.example\r\nTo: berta@example.org\r\nSubject: Else\r\n\r\nx\r\n"
    await send(other)
    folder = Folder(inbox.folder)
    names = sorted(folder.names(), key=lambda name: b"berta" not in (folder.read(name) or b""))

    async def found(asked: str) -> list[str]:
        _, text, _ = await get(f"{inbox.url}/?q={asked}")
        return [name for name in names if f"/mails/{name}" in text]

    assert await found("") == names
    assert await found("GR%C3%9C%C3%9FE") == names[1:]
    assert await found("dots+acme") == names[1:]
    assert await found("dots+berta") == []
    assert "No mail has these words." in (await get(f"{inbox.url}/?q=dots+berta"))[1]
    assert "&lt;i&gt;" in (await get(f"{inbox.url}/?q=%3Ci%3E"))[1]


async def test_a_mail_and_all_of_them_are_deleted_by_our_own_pages_alone(
    inbox: OpenInbox, send: Send
) -> None:
    for _ in range(3):
        await send(MAIL)
    folder = Folder(inbox.folder)
    (inbox.folder / "notes.txt").write_text("not a mail")

    async def post(path: str, site: str = "same-origin", name: str = "Sec-Fetch-Site") -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{inbox.url}{path}", headers={name: site}) as answer,
        ):
            return answer.status

    newest = folder.names()[0]
    assert await post(f"/mails/{newest}/delete", "cross-site") == 403
    assert await post("/delete", "http://evil.example", "Origin") == 403
    assert await post("/delete", "null", "Origin") == 403
    assert newest in folder.names()
    assert await post(f"/mails/{newest}/delete", inbox.url, "Origin") == 200
    assert len(folder.names()) == 2
    assert newest not in folder.names()
    assert await post("/mails/..%2Fnotes/delete") in (200, 404)
    assert (await get(f"{inbox.url}/delete"))[0] == 405, "looking deletes nothing"
    assert await post("/delete") == 200
    assert folder.names() == []
    assert (inbox.folder / "notes.txt").exists()
