"""The append-only, hash-chained log of every access to a plate, and the gates to open one."""
