"""Why storage stops.

StorageError
└── StorageAway   the database cannot be used now; whether a commit took effect may be unknown
    └── PartAway  the database is there, and what one item needs of it is not
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
