"""The device's own page: the annotated stream, the last reads, how the device is.

Off until a password is set. It asks no other host for anything.

    page = LocalPage(PageConfig(password_hash=…), health=health, settings=remote, camera="North")
    Pipeline(…, on_frame=page.frame, on_read=page.read)
    page.start() … page.close()
"""

from __future__ import annotations
