"""What every process measures beside its work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from audit.tables import audit_entry
from gateway.flows.proving.remembering import Verifying
from gateway.process import counting
from tests.support.apps import App
from tests.support.rotations import verify_backup


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_the_age_of_the_newest_verified_backup_is_a_metric_and_infinite_without_one(
    app: App,
) -> None:
    parts = app.parts
    duty = counting.measuring_backups(parts.key_database, parts.clock, parts.rows, app.counted)

    await duty.run()
    assert "gateway_backup_age_seconds +Inf" in app.metrics()
    await verify_backup(app, 1)
    app.step(timedelta(hours=27))
    await duty.run()

    assert f"gateway_backup_age_seconds {27 * 3600:.1f}" in app.metrics()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_when_the_log_was_verified_last_and_what_that_found_are_metrics(app: App) -> None:
    parts = app.parts
    kept_in = (parts.data, parts.guard, parts.clock, parts.rows, parts.log)
    duty = counting.measuring_nights(*kept_in, app.counted)
    app.step(timedelta(hours=30))

    await duty.run()
    assert f"gateway_audit_verified_age_seconds {30 * 3600:.1f}" in app.metrics()
    async with parts.data.begin() as connection:
        await connection.execute(update(audit_entry).values(kind="x"))
    await Verifying(parts).verify()
    await duty.run()

    assert "gateway_audit_verified_age_seconds 0.0" in app.metrics()
    assert 'gateway_audit_verification_faults{where="rows"} 0.0' in app.metrics()
    assert 'gateway_audit_verification_faults{where="log"} 0.0' not in app.metrics()
