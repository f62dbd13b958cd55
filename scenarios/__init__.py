"""Scenarios: a day at a site as data, played through the product's own services."""
