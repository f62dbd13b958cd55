"""The plate reader: its network, its data, its training."""
