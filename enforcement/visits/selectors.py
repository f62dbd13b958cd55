"""Reading visits and what is known of a site's enforcement."""

import uuid
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from cameras.models import Site
from enforcement.visits.circumstances import Circumstances

_INSIDE = """
SELECT v.site_id, c.zone_id, count(*)
FROM visits_visit v
JOIN plates_passage p ON p.id = v.entry_passage_id
JOIN cameras_camera c ON c.id = p.camera_id
WHERE v.status = 'open' AND v.site_id = ANY(%s::uuid[])
GROUP BY v.site_id, c.zone_id
"""


def occupancy(sites: "QuerySet[Site]") -> dict[tuple[uuid.UUID, uuid.UUID | None], int]:
    """Vehicles inside, by (site, zone of the entry camera); zone None where the camera has none.

    Presence, not parking: a vehicle whose exit was missed counts until its stay expires.
    """
    ids = list(sites.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_INSIDE, [ids])
        return {(site, zone): count for site, zone, count in cursor.fetchall()}


def site_suspended(site: Site, now: datetime) -> bool:
    """Whether automatic enforcement is suspended at `site`: by its rules, or because a camera's
    orphan rate is above the limit (domain-rules §5). To be shown as such."""
    return Circumstances(now=now).suspended(site)
