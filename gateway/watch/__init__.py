"""What the operator sees: logs, metrics, health, the doctor. Nothing here is about anybody."""
