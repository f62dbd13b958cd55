"""Sealing: envelope encryption of plates and pictures, the keyed blind index, crypto-shredding.

Opening a sealed value is low-level and private to `vault` and `audit`: everybody else goes through
`audit.access`, which leaves the row that says who looked and why (held by an architecture test).
"""
