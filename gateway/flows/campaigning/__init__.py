"""One content to everyone whom a purpose permits: begun, carried on, kept from going on, told."""
