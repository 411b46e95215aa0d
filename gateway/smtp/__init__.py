"""Mail that comes to us: the local inbox."""
