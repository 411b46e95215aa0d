"""Why storage stops.

StorageError
└── StorageAway   the database cannot be used now; whether a commit took effect may be unknown
    ├── PartAway       the database is there, and what one item needs of it is not
    └── KeyringBehind  the databases are there, and may have a newer key than the keyring
"""


class StorageError(Exception):
    """Anything this package raises on purpose."""


class StorageAway(StorageError):
    """The database did not take the transaction: refused, lost, locked or full.

    Whether a commit that was under way took effect is not known when the
    connection is lost during it; callers must be safe to repeat. *why* quotes nothing.
    """

    def __init__(self, store: str, why: str = "") -> None:
        super().__init__(f"the {store} database is away" + (f": {why}" if why else ""))
        self.store = store
        self.why = why


class PartAway(StorageAway):
    """What one item needs is not there, and may come back: for whoever waits, as `StorageAway`.

    Nothing of it was written. It says nothing of any other item: whoever has one such
    person asked about again and again must not keep everybody from what they asked for.
    """


class KeyringBehind(StorageAway):
    """What is asked can be said with the newest keys alone, and ours may not be these."""

    def __init__(self) -> None:
        super().__init__("keyring")

    def __str__(self) -> str:
        return (
            "the keyring may be older than what the databases were written with: copy the newest"
            " one to this machine"
        )
