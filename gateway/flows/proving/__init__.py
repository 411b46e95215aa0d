"""The log and the rows beside it are checked, and shown."""
