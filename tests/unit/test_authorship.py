"""Mails that are handed in, as lists, forwarders and forgers make them: each with its reason."""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Callable
from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery import authorship, handed_in, mime, signatures
from delivery.alterations import Altered, How
from delivery.authorship import NotOurs, Signed, Why
from delivery.dkim import Signer, SigningKey, dns_record, new_key
from delivery.mime import Content
from tests.support.mails import AT, MARKETING, SERVICE, records, signer

OURS = ("acme.example",)
SAID = Content(
    "Grüße", "Zwölf Zeilen, und keine mehr.\r\nFreundliche Grüße\r\n", "<p>Zwölf Zeilen.</p>\n"
)
LIST = b"\r\n_______________________________________________\r\nfriends mailing list\r\n"
TRACE = b"Received: from a.example by b.example; Tue, 3 Mar 2026 14:05:11 +0000\r\n"


def keys(*more: Signer) -> authorship.Keys:
    found = {}
    for one in (signer(), *more):
        _, record = dns_record(one.selector, one.domain, one.key)
        found[one.domain, one.selector] = signatures.Key(one.domain, one.selector, record)
    return found


def sent(
    content: Content = SAID, by: Signer | None = None, header: mime.Header = MARKETING
) -> bytes:
    mail = mime.compose(header, content)
    return mail.wire([(by or signer()).sign(mail.fields, mail.body, AT)])


def plain() -> bytes:
    return sent(replace(SAID, html=None), header=SERVICE)


def judged(raw: bytes, *more: Signer) -> Signed | NotOurs:
    return authorship.examine(raw, keys(*more), OURS)


def swapped(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        assert before in raw
        return raw.replace(before, after, 1)

    return change


def with_signature_of_another(raw: bytes) -> bytes:
    mail = mime.compose(MARKETING, SAID)
    return signer(domain="relay.example").sign(mail.fields, mail.body, AT) + raw


def in_lines_of_unix(raw: bytes) -> bytes:
    return b"From news@acme.example Tue Mar  3 14:05:09 2026\n" + raw.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: raw, id="as it was sent"),
        pytest.param(lambda raw: TRACE + raw, id="with traces of its way"),
        pytest.param(lambda raw: raw + b"\r\n\r\n", id="with empty lines at its end"),
        pytest.param(in_lines_of_unix, id="out of a mailbox file"),
        pytest.param(lambda raw: b"\xef\xbb\xbf" + raw, id="with a mark of the byte order"),
        pytest.param(with_signature_of_another, id="signed by a relay too"),
        pytest.param(swapped(b"Subject: ", b"Subject:   "), id="with other blanks"),
        pytest.param(swapped(b"From: ", b"FROM : "), id="with a name written otherwise"),
    ],
)
def test_what_a_faithful_way_does_to_a_mail_leaves_it_ours(
    change: Callable[[bytes], bytes],
) -> None:
    found = judged(change(sent()))

    assert isinstance(found, Signed)
    assert (found.key.selector, found.signature.signed_at) == ("s2026a", AT)
    assert found.said(b"message-id") == "<0d4k8j2m@acme.example>"


def test_a_mail_signed_by_a_key_that_was_retired_is_ours() -> None:
    former = Signer("acme.example", "s2025", SigningKey.load(new_key()))

    found = judged(sent(by=former), former)

    assert isinstance(found, Signed)
    assert found.key.selector == "s2025"


def wrapped(raw: bytes) -> bytes:
    """As a list does that adds its footer as a part."""
    head, _, body = raw.partition(b"\r\n\r\n")
    kind = re.search(rb"\r\nContent-Type: [^\r]*(?:\r\n [^\r]*)*", head)
    assert kind is not None
    outer = head.replace(kind[0], b'\r\nContent-Type: multipart/mixed; boundary="outer"')
    inner = kind[0][2:] + b"\r\n\r\n" + body
    footer = b"Content-Type: text/plain\r\n\r\nfriends mailing list\r\n"
    return outer + b"\r\n\r\n--outer\r\n" + inner + b"\r\n--outer\r\n" + footer + b"--outer--\r\n"


def recoded(raw: bytes) -> bytes:
    """As a gateway does that hands on in base64 what came as quoted-printable."""
    head, _, body = raw.partition(b"\r\n\r\n")
    text = quopri.decodestring(body).decode().encode("iso-8859-1")
    head = head.replace(b"quoted-printable", b"base64").replace(b"utf-8\r\n", b"iso-8859-1\r\n")
    return head + b"\r\n\r\n" + base64.encodebytes(text).replace(b"\n", b"\r\n")


def rewritten(raw: bytes) -> bytes:
    """As a list does that may not send in our name: tag, other From, own ways to leave."""
    raw = raw.replace(b"Subject: ", b"Subject: [friends] ", 1)
    former = b"\r\nX-Original-From: Acme <news@acme.example>"
    raw = raw.replace(
        b"\r\nFrom: Acme <news@acme.example>",
        b"\r\nFrom: Acme via friends <friends@lists.example>" + former,
    )
    return raw.replace(b"\r\nMIME-Version", b"\r\nReply-To: friends@lists.example\r\nMIME-Version")


@pytest.mark.parametrize(
    ("change", "altered"),
    [
        pytest.param(lambda r: r + LIST, Altered(How.APPENDED, (), True), id="footer of a list"),
        pytest.param(
            wrapped, Altered(How.WRAPPED, ("content-type",), True), id="footer as a part of its own"
        ),
        pytest.param(
            swapped(b"Zeilen", b"Seiten"), Altered(How.CHANGED, (), True), id="another word"
        ),
        pytest.param(
            swapped(b"Subject: ", b"Subject: [friends] "),
            Altered(None, ("subject",), True),
            id="a tag before the subject",
        ),
        pytest.param(
            rewritten,
            Altered(None, ("reply-to", "subject", "from"), True),
            id="a list that writes in its own name",
        ),
        pytest.param(
            lambda r: rewritten(r) + LIST,
            Altered(How.APPENDED, ("reply-to", "subject", "from"), True),
            id="such a list, with its footer",
        ),
        pytest.param(
            swapped(b"To: ada@", b"To: eve@"), Altered(None, (), False), id="another recipient"
        ),
        pytest.param(
            swapped(b"\r\nTo:", b"\r\nTo: eve@example.org\r\nTo:"),
            Altered(None, ("to",), True),
            id="a recipient more",
        ),
        pytest.param(
            swapped(b"Precedence: bulk\r\n", b""),
            Altered(None, ("precedence",), False),
            id="a field that is missing",
        ),
    ],
)
def test_an_altered_mail_is_told_as_far_as_it_is_proven(
    change: Callable[[bytes], bytes], altered: Altered
) -> None:
    found = judged(change(sent()))

    assert found == NotOurs(Why.ALTERED, ("acme.example",), "s2026a", altered)


def test_a_mail_that_was_encoded_again_says_the_same_words() -> None:
    found = judged(recoded(plain()))

    fields = ("content-type", "content-transfer-encoding")
    altered = Altered(How.RECODED, fields, True)
    assert found == NotOurs(Why.ALTERED, ("acme.example",), "s2026a", altered)


def forged(raw: bytes) -> bytes:
    """With a signature of the right length by somebody else's key."""
    return sent(by=Signer("acme.example", "s2026a", SigningKey.load(new_key())))


def attached(raw: bytes) -> bytes:
    part = b"\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n" + raw
    head = b"From: eve@example.org\r\nSubject: Fwd\r\nContent-Type: multipart/mixed; boundary=o\r\n"
    return head + part + b"\r\n--o--\r\n"


def attached_in_base64(raw: bytes) -> bytes:
    kind = (
        b"\r\n\r\n--o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    head = b"From: eve@example.org\r\nContent-Type: multipart/mixed; boundary=o"
    return head + kind + base64.encodebytes(raw) + b"\r\n--o--\r\n"


def unsigned(raw: bytes) -> bytes:
    return re.sub(rb"(?s)\ADKIM-Signature:.*?\r\n(?=From)", b"", raw)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda _: b"", Why.NOT_A_MAIL, id="nothing"),
        pytest.param(lambda _: b"%PDF-1.7\n", Why.NOT_A_MAIL, id="another file"),
        pytest.param(lambda r: r + b"x" * handed_in.MOST, Why.NOT_A_MAIL, id="too large"),
        pytest.param(lambda _: b"From: eve@example.org\r\n\r\nHi", Why.FOREIGN, id="foreign"),
        pytest.param(unsigned, Why.FORGED, id="without a signature"),
        pytest.param(forged, Why.FORGED, id="with somebody else's signature"),
        pytest.param(swapped(b" s=s2026a", b" s=s1999"), Why.UNKNOWN_KEY, id="a key never ours"),
        pytest.param(attached, Why.FORWARDED, id="forwarded as an attachment"),
        pytest.param(attached_in_base64, Why.FORWARDED, id="forwarded, encoded"),
    ],
)
def test_a_mail_that_is_not_ours_says_why(change: Callable[[bytes], bytes], why: Why) -> None:
    found = judged(change(sent()))

    assert isinstance(found, NotOurs)
    assert found.why is why


def test_a_signature_that_was_put_on_another_mail_is_told_as_altered_and_nothing_as_proven() -> (
    None
):
    ours = re.match(rb"(?s)DKIM-Signature:.*?\r\n(?=From)", sent())
    assert ours is not None
    other = b"From: news@acme.example\r\nSubject: Pay\r\n\r\nNow.\r\n"

    found = judged(ours[0] + other)

    assert isinstance(found, NotOurs)
    assert (found.why, found.altered is not None and found.altered.proven) == (Why.ALTERED, False)


def test_a_length_in_the_signature_is_never_ours() -> None:
    """`l=` would leave room for words of somebody else behind ours."""
    raw = sent().replace(b" s=s2026a;", b" s=s2026a; l=1;", 1)

    assert isinstance(found := judged(raw), NotOurs)
    assert found.why is Why.FORGED


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_byte_that_is_signed_may_change(data: st.DataObject) -> None:
    raw = sent()
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.sampled_from([b"x", b"\0", b":", b"7"]))
    changed = raw[:at] + byte + raw[at + 1 :]

    found = judged(changed)

    same = raw[at : at + 1].lower() == byte or signature_in(changed) == signature_in(raw)
    assert isinstance(found, NotOurs) or same or changed.lower() == raw.lower()


def signature_in(raw: bytes) -> tuple[bytes, bytes | None]:
    """The signature as it is decoded, whose last letter has bits that say nothing; and the rest."""
    head, _, rest = raw.partition(b" b=")
    letters, _, others = rest.partition(b"\r\nFrom:")
    try:
        return head + others, base64.b64decode(b"".join(letters.split()))
    except ValueError:
        return head + others, None


@settings(max_examples=50)
@given(st.binary(max_size=400))
def test_whatever_is_handed_in_is_judged(raw: bytes) -> None:
    ours, begun = sent(), process_time()
    for some in (raw, raw + ours, ours[:200] + raw + ours[200:], b"DKIM-Signature: " + raw + ours):
        assert isinstance(judged(some), Signed | NotOurs)
    assert process_time() - begun < 2


SIGNATURE = sent()[: sent().index(b"From: Acme")]
MEGABYTE = 1024 * 1024


def in_letters_that_cost_their_square() -> bytes:
    """One of ours whose words are said to be encoded as names of domains are."""
    head = plain().partition(b"\r\n\r\n")[0].replace(b"charset=utf-8", b"charset=punycode")
    assert b"punycode" in head
    return head + b"\r\n\r\n" + b"a" * 200_000 + b"-" + b"ab" * 100_000


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(sent() + b" " * 8 * MEGABYTE, id="blanks behind the body"),
        pytest.param(sent() + b" \r\n" * 2 * MEGABYTE, id="lines of a blank"),
        pytest.param(sent() + b"x\r\n" * 2 * MEGABYTE, id="short lines"),
        pytest.param(SIGNATURE * 300 + b"From: a@acme.example\r\n\r\n", id="signatures"),
        pytest.param(SIGNATURE + b"X: " + b"a\r\n " * 60_000 + b"\r\n\r\n", id="a folded field"),
        pytest.param(
            SIGNATURE
            + b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
            + b"\r\n--a" * MEGABYTE,
            id="boundaries",
        ),
        pytest.param(
            SIGNATURE + b"Subject: " + b"[a] " * 40_000 + b"\r\n\r\n" + b"=41" * 2 * MEGABYTE,
            id="tags and escapes",
        ),
        pytest.param(
            SIGNATURE + b"From: " + b"@a" * 100_000 + b"\r\n\r\n" + b"\n" * 8 * MEGABYTE,
            id="names of domains",
        ),
        pytest.param(in_letters_that_cost_their_square(), id="a charset of names of domains"),
    ],
)
def test_hostile_mails_take_the_time_of_their_size(raw: bytes) -> None:
    begun = process_time()

    judged(raw)

    assert process_time() - begun < 4


def test_the_public_half_is_what_dns_holds() -> None:
    (record,) = records(signer()).values()

    public = signatures.Key("acme.example", "s2026a", record)

    assert public.record.endswith(signer().key.public)
    with pytest.raises(ValueError, match="no DKIM record"):
        signatures.Key("acme.example", "s2026a", "v=spf1 -all")
