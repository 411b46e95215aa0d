import json, pytest
from pathlib import Path
from tests.support.proofs import *
from tests.support import bundles
from tests.support.apps import open_app
from tests.support.clock import SteppedClock
from datetime import timedelta


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_x(tmp_path, new_database_url, dialect):
    async with open_app(
        tmp_path,
        new_database_url,
        dialect,
        more='[rights]\ncountry="DE"\ntime_zone="Europe/Berlin"\n',
    ) as app:
        (text,) = await app.texts("newsletter", locale="de")
        cid, mail = await proven(
            app,
            locale="de",
            texts=[text],
            page_url="https://www.acme.example/landing",
            profile={"first_name": "Ada"},
        )
        for f in ("json", "jsonld", "pdf", "bundle"):
            st, kind, raw = await evidence(app, cid, f"?format={f}&locale=de")
            print(f, st, kind, len(raw))
            if st != 200:
                print(raw)
            Path(f"/tmp/h/out.{f}").write_bytes(raw)
        st, kind, raw = await evidence(app, cid, f"?format=pdf&locale=en")
        Path("/tmp/h/out.en.pdf").write_bytes(raw)
        sound, said = bundles.check_here(
            Path("/tmp/h/out.bundle").read_bytes(), app.parts.publisher.vkey
        )
        print(sound, said)
        print(list(bundles.files_of(Path("/tmp/h/out.bundle").read_bytes())))
        from gateway.flows.proving import verify

        v = await verify.verify(app.parts)
        print(v.ok, v.rows, v.report.findings)
        assert (
            mail.raw
            == bundles.files_of(Path("/tmp/h/out.bundle").read_bytes())[
                "mails/" + __import__("hashlib").sha256(mail.raw).hexdigest() + ".eml"
            ]
        )
