from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.callers.idempotency import Clash
from gateway.errors import InFlight, Invalid, KeyReused
from gateway.http import repeats


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\n"])
def test_an_unfit_key_is_refused(key: str) -> None:
    request = make_mocked_request("POST", "/v1/messages", {"Idempotency-Key": key})

    with pytest.raises(Invalid):
        repeats.name_of(request, b"{}", status=202)


def test_without_a_key_a_request_has_no_name() -> None:
    request = make_mocked_request("POST", "/v1/messages")

    assert repeats.name_of(request, b"{}", status=202) is None


def test_each_clash_has_its_answer() -> None:
    kinds = {clash: type(repeats.refusal(clash)) for clash in Clash}

    assert kinds == {Clash.IN_FLIGHT: InFlight, Clash.REUSED: KeyReused}
