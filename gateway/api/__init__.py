"""The API of senders and machines, one file per resource: models, examples, handlers."""
