"""Signatures: dkimpy accepts each, and refuses every mutation."""

from __future__ import annotations

import base64
import hashlib
import re
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery import dkim, mime
from delivery.dkim import Signer, SigningKey
from delivery.errors import SigningError
from delivery.mime import Content
from storage.secret import Secret
from tests.support.mails import AT, HELLO, MARKETING, SERVICE, header, key, records, signer

ALGORITHMS: list[dkim.Algorithm] = ["rsa-sha256", "ed25519-sha256"]
FROM = (b"From", b"From: a@acme.example\r\n")


def signed(content: Content = HELLO, by: Signer | None = None, **more: object) -> bytes:
    mail = mime.compose(header(**more), content)
    return mail.wire([(by or signer()).sign(mail.fields, mail.body, AT)])


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Secret:
    encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return Secret(private.private_bytes(encoding, form, none))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dkimpy_accepts_a_mail(algorithm: dkim.Algorithm) -> None:
    by = signer(algorithm)

    assert dkim.verify(signed(by=by), records(by))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"A line", b"A lime"),
        (b"To: ada@", b"To: eve@"),
        (b"/unsubscribe/k", b"/unsubscribe/K"),
        (b"=One-Click", b"=Two-Click"),
        (b"Subject: Hello", b"Subject: Hallo"),
        (b"s=s2026a", b"s=s2026b"),
        (b"\r\nTo:", b"\r\nTo: eve@example.org\r\nTo:"),
        (b"\r\nFrom:", b"\r\nFrom: eve@example.org\r\nFrom:"),
        (b"\r\nMIME-Version:", b"\r\nReply-To: eve@example.org\r\nMIME-Version:"),
        (b"\r\nMIME-Version:", b"\r\nCc: eve@example.org\r\nMIME-Version:"),
        (
            b"\r\nList-Unsubscribe:",
            b"\r\nList-Unsubscribe: <https://e.example>\r\nList-Unsubscribe:",
        ),
    ],
)
def test_dkimpy_refuses_a_changed_mail(
    algorithm: dkim.Algorithm, before: bytes, after: bytes
) -> None:
    by = signer(algorithm)
    mail = signed(by=by)
    assert before in mail

    assert not dkim.verify(mail.replace(before, after, 1), records(by))


def test_another_key_in_the_dns_does_not_verify() -> None:
    other = Signer("acme.example", "s2026a", SigningKey.load(dkim.new_key()))

    assert not dkim.verify(signed(), records(other))
    assert not dkim.verify(signed(), {})


TEXT = st.text(
    st.one_of(
        st.sampled_from("\r\n\t .=\x00\x0b\x1b\x7f\x85\u2028\u2029\ud800\ufeff🎉ßДж漢"),
        st.characters(),
    ),
    max_size=120,
)
LONG = st.builds(lambda text, times: text * times, TEXT.filter(bool), st.sampled_from([1, 40, 400]))


@settings(max_examples=200, deadline=None)
@given(subject=TEXT, name=TEXT, text=LONG, html=st.none() | LONG, flip=st.integers(0, 1 << 30))
def test_whatever_the_words_it_verifies_and_no_mutation_does(
    subject: str, name: str, text: str, html: str | None, flip: int
) -> None:
    content = Content(subject, text, html)
    mail = signed(content, sender_name=name)

    assert dkim.verify(mail, records(signer()))

    assert_seven_bit_lines(mail)
    body = mail.index(b"\r\n\r\n") + 4
    place = body + flip % (len(mail.rstrip(b"\r\n")) - body)
    mutated = mail[:place] + bytes([mail[place] ^ 1]) + mail[place + 1 :]
    # Blanks are what relaxed canonicalisation forgives.
    if not {mail[place], mutated[place]} & set(b" \t\r\n"):
        assert not dkim.verify(mutated, records(signer()))


def assert_seven_bit_lines(mail: bytes) -> None:
    assert mail.isascii()
    assert mail.endswith(b"\r\n")
    lines = mail[:-2].split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
    assert max(map(len, lines)) <= 998


def test_both_unsubscribe_fields_are_signed_and_oversigned() -> None:
    names = signed_names(signed())

    for name in ("from", "to", "subject", "list-unsubscribe", "list-unsubscribe-post", "list-id"):
        assert names.count(name) == 2
    for name in ("cc", "reply-to"):
        assert names.count(name) == 1
    assert not {"received", "return-path", "bcc", "dkim-signature"} & set(names)


def signed_names(mail: bytes) -> list[str]:
    found = re.search(rb"h=([^;]*);", mail)
    assert found is not None
    return re.sub(r"\s", "", found.group(1).decode()).split(":")


def test_the_field_says_what_it_must_and_no_length() -> None:
    field = signer().sign([FROM], b"", AT)

    tags = dict(
        part.split("=", 1)
        for part in re.sub(r"\s", "", field.decode().partition(":")[2]).split(";")
    )
    assert tags.keys() == {"v", "a", "c", "d", "s", "t", "h", "bh", "b"}
    assert tags["a"] == "rsa-sha256"
    assert tags["c"] == "relaxed/relaxed"
    assert tags["t"] == str(int(AT.timestamp()))
    assert max(map(len, field.split(b"\r\n"))) <= 78


def test_a_long_domain_is_not_folded_inside() -> None:
    domain = ".".join(["x" * 60] * 3) + ".example"
    by = Signer(domain, "y" * 60, key())

    field = by.sign([FROM], b"", AT)

    assert f" d={domain};\r\n".encode() in field
    assert dkim.verify(field + FROM[1] + b"\r\n", records(by))


def test_repeated_fields_are_taken_from_the_bottom_up() -> None:
    fields = [
        FROM,
        (b"References", b"References: <1@x.example>\r\n"),
        (b"references", b"references:\t<2@x.example>  <3@x.example>\r\n"),
    ]

    field = signer().sign(fields, b"x\r\n", AT)

    mail = b"".join([field, *(raw for _, raw in fields), b"\r\nx\r\n"])
    assert dkim.verify(mail, records(signer()))


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"no end", b"no end\r\n"),
        (b"a \t\r\n \r\n", b"a\r\n"),
        (b"\r\n a", b"\r\n a\r\n"),
    ],
)
def test_the_body_is_canonical_as_rfc_6376_says(body: bytes, canonical: bytes) -> None:
    expected = base64.b64encode(hashlib.sha256(canonical).digest())

    assert dkim.hash_body(body) == expected


def test_long_runs_of_blanks_take_no_time() -> None:
    body = (b" " * 1_000_000 + b"x\r\n") * 3

    began = time.thread_time()
    dkim.hash_body(body)

    assert time.thread_time() - began < 1


def test_one_body_hash_serves_two_signatures() -> None:
    mail = mime.compose(MARKETING, HELLO)
    body_hash = dkim.hash_body(mail.body)
    rsa_signer, ed_signer = signer(), Signer("acme.example", "s2026b", key("ed25519-sha256"))

    second = ed_signer.sign_hashed(mail.fields, body_hash, AT)
    first = rsa_signer.sign_hashed(mail.fields, body_hash, AT)

    assert dkim.verify(mail.wire([first, second]), records(rsa_signer))
    assert dkim.verify(mail.wire([second, first]), records(ed_signer))


def test_what_the_relay_rewrites_is_left_out() -> None:
    by = Signer("acme.example", "s2026a", key(), rewritten=["Message-ID", "Date"])
    mail = signed(by=by)

    rewritten = mail.replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <x")

    assert dkim.verify(rewritten, records(by))
    assert not {"message-id", "date"} & set(signed_names(mail))


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["From", "From"],
        ["From", "List-Unsubscribe"],
        ["From", "List-Unsubscribe-Post"],
        ["From", "List-Unsubscribe", "List-Unsubscribe", "List-Unsubscribe-Post"],
    ],
)
def test_a_mail_that_must_not_leave_gets_no_signature(names: list[str]) -> None:
    fields = [(name.encode(), f"{name}: x\r\n".encode()) for name in names]

    with pytest.raises(SigningError):
        signer().sign(fields, b"", AT)


def test_service_mail_needs_no_way_to_leave() -> None:
    mail = mime.compose(SERVICE, HELLO)

    assert dkim.verify(mail.wire([signer().sign(mail.fields, mail.body, AT)]), records(signer()))


@pytest.mark.parametrize("domain", ["", "acme..example", "bücher.example", "a;b.example", "-a.b"])
def test_only_dns_names_sign(domain: str) -> None:
    with pytest.raises(SigningError):
        Signer(domain, "s1", key())
    with pytest.raises(SigningError):
        Signer("acme.example", domain, key())


def test_weak_foreign_and_broken_keys_are_refused() -> None:
    for secret in (
        pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505 weak on purpose
        pem(ec.generate_private_key(ec.SECP256R1())),
        Secret(b"not a key"),
        Secret(b""),
    ):
        with pytest.raises(SigningError):
            SigningKey.load(secret)


def test_pkcs1_and_windows_line_ends_load() -> None:
    old = pem(rsa.generate_private_key(65537, 2048))
    windows = Secret(old.reveal().replace(b"\n", b"\r\n"))

    assert SigningKey.load(old).public == SigningKey.load(windows).public


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_probe_verifies(algorithm: dkim.Algorithm) -> None:
    dkim.probe(signer(algorithm))


def test_a_probe_finds_a_key_that_signs_wrongly() -> None:
    class Broken:
        algorithm = key().algorithm
        public = key().public

        def sign(self, digest: bytes) -> bytes:
            return key().sign(digest[::-1])

    with pytest.raises(SigningError):
        dkim.probe(Signer("acme.example", "s2026a", Broken()))


def test_a_key_whose_numbers_do_not_belong_together_stops_us_before_any_mail() -> None:
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    broken = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d ^ 2,
        dmp1=numbers.dmp1 ^ 2,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    )
    loaded = SigningKey.load(pem(broken.private_key(unsafe_skip_rsa_key_validation=True)))

    with pytest.raises(SigningError):
        dkim.probe(Signer("acme.example", "s2026a", loaded))


def test_the_dns_record_is_as_published() -> None:
    name, value = dkim.dns_record("s1", "acme.example", key())
    _, other = dkim.dns_record("s1", "acme.example", key("ed25519-sha256"))

    assert name == "s1._domainkey.acme.example"
    assert re.fullmatch(r"v=DKIM1; k=rsa; p=[A-Za-z0-9+/]{392}", value)
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=", other)


def test_ed25519_verifies_the_mail_of_rfc_8463() -> None:
    """RFC 8463, appendix A.3, its Ed25519 signature alone."""
    mail = (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
        b" d=football.example.com; i=@football.example.com;\r\n"
        b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
        b" subject : date : message-id : from : subject : date;\r\n"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
        b" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
        b" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
        b"From: Joe SixPack <joe@football.example.com>\r\n"
        b"To: Suzie Q <suzie@shopping.example.net>\r\n"
        b"Subject: Is dinner ready?\r\n"
        b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
        b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
        b"\r\n"
        b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
    )
    public = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    zone = {"brisbane._domainkey.football.example.com": f"v=DKIM1; k=ed25519; p={public}"}

    assert dkim.verify(mail, zone)
    assert not dkim.verify(mail.replace(b"hungry", b"thirsty"), zone)


def test_ed25519_signs_as_rfc_8463_says() -> None:
    """RFC 8463, appendix A.2: the private key; A.3: the body hash."""
    seed = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    private = SigningKey(ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    body = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

    assert private.public == "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert dkim.hash_body(body) == b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=300))
def test_verifying_noise_is_a_no(raw: bytes) -> None:
    assert not dkim.verify(raw, {})
    assert not dkim.verify(b"DKIM-Signature: " + raw, records(signer()))


def test_no_key_shows_itself() -> None:
    secret = dkim.new_key("ed25519-sha256")

    assert "PRIVATE" not in repr(secret)
