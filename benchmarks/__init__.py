"""Figures, measured on the running product: `./run bench NAME`."""
