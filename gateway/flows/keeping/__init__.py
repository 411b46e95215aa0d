"""What is over is written down as over, and not kept longer than its reason."""
