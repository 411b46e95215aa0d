"""The desk: pages of who answers for the data, and of who audits that."""
