"""Keys that are files outside every database: the keyring, and what DKIM signs with."""
