"""A person withdraws, objects or switches a purpose off."""
