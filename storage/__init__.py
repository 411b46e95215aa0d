"""What every package needs of a database, and nothing that knows a table.

Two databases, one code path: SQLite (one process, one writing connection) and
PostgreSQL (as many processes as needed). Imports nothing else of ours.
"""
