"""The tables of the three databases, and how yesterday's become today's."""
