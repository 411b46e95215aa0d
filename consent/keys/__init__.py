"""What a key is, who may use it, and what is sealed under it."""
