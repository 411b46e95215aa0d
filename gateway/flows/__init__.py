"""One file per thing that a person, a caller or a duty makes happen.

Each flow calls `consent`, `delivery` and `audit` in one transaction. The order
is always: keys fetched, outbox rows locked, gates locked, now and facts read,
decided, written, audit staged.
"""
