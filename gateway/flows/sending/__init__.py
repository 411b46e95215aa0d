"""A message is handed in, permitted, composed, sent and settled."""
