from __future__ import annotations

import pytest

from storage.keysets import Key, KeySet, KeyState
from storage.secret import Secret

OLD, NEW = Secret(b"o" * 32), Secret(b"n" * 32)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="none"),
        pytest.param([Key(1, KeyState.RETIRING, OLD)], id="none active"),
        pytest.param([Key(1, KeyState.ACTIVE, OLD), Key(2, KeyState.ACTIVE, NEW)], id="two active"),
        pytest.param([Key(1, KeyState.ACTIVE, OLD), Key(1, KeyState.RETIRING, NEW)], id="a number"),
        pytest.param([Key(1, KeyState.ACTIVE, None)], id="active without a secret"),
    ],
)
def test_a_set_that_cannot_be_is_refused(keys: list[Key]) -> None:
    with pytest.raises(ValueError, match="key"):
        KeySet(keys)
