"""Other makers' wire formats: each a module that only translates, into the intake of `cameras`.

The road of a message: `bridge` (the broker's client) → `messages` (by topic) → `envelope` or
`frigate` (what it says) → `cameras` (stored) → acknowledged.
"""
