"""A person sees what is kept, and is forgotten."""
