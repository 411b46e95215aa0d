"""OpenID Connect, as who relies on it: what is asked, what is believed, and who is asked."""
