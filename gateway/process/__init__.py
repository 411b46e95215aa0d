"""What runs: the composition of a process, its duties, its start and its end."""
