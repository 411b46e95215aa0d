"""What every process measures beside its work."""

from __future__ import annotations

from datetime import timedelta

import pytest

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
