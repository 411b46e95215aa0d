"""After a backup was put back: what there is, what goes again, and what nobody can know."""
