"""Breaches of personal data: what was in reach, of whom, and by when it must be told."""
