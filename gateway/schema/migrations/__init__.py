"""Migrations of the three schemas, each in the folder of its name.

To add one, change the tables, then `python -m gateway.schema.migrations data "what changed"`
and read the file it wrote before it is committed.
"""
