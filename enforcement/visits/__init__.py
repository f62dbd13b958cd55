"""Visits: which entry belongs to which exit."""
