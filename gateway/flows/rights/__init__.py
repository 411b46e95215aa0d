"""A person sees what is kept, restricts its use and lifts that, and is forgotten."""
