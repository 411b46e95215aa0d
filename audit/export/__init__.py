"""The log as files that anybody can check: one module for each format."""
