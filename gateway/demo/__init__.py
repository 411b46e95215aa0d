"""`gateway demo`: everything on one machine, with a landing page of its own."""
