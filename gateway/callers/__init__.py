"""Whoever calls with an API key: who may do what, and what a repeated request was answered."""
