"""The configuration: read whole, checked whole, then one frozen value."""
