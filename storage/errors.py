"""Why storage stops.

StorageError
└── StorageAway   the database cannot be used now; whether a commit took effect may be unknown
"""


class StorageError(Exception):
    """Anything this package raises on purpose."""


class StorageAway(StorageError):
    """The database did not take the transaction: refused, lost, locked or full.

    Whether a commit that was under way took effect is not known when the
    connection is lost during it; callers must be safe to repeat.
    """

    def __init__(self, store: str) -> None:
        super().__init__(f"the {store} database is away")
        self.store = store
