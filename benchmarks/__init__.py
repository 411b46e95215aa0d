"""How fast it is, measured: medians and spread of alternating rounds, never timed tests."""
