"""The plate detector: its network, its data, its training."""
