"""HTTP handlers: parse, call one flow, answer. No SQL, no decisions."""
