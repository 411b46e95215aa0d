"""A person signs up, is asked, and confirms."""
