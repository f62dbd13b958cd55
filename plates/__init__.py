"""Reads and passages: what was seen, sealed; the recognise and gather stages; search."""
