"""What `./run` is made of: the standard library only, because it runs before anything is installed.

The road of one start: `cli` → `venv` (packages) → `services` (PostgreSQL, Valkey, keys) →
`site` (migrations, then `processes` under the `supervisor`).
"""
