"""Backups of data and key store, table by table: taken, read, put back.

The keyring is never in one, nor is the guard: it is what tells a restored backup
from the gateway that went on, so it must not go back with it.
"""
