"""Writing what became of captures: many at once, since each statement costs more than its rows.

Rows are locked in the order of their ids everywhere, so that stages which write onto the same
captures wait for each other instead of deadlocking.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction

from cameras.models import Capture

log = structlog.get_logger(__name__)

_FINISH = """
WITH waiting AS (
    SELECT id FROM cameras_capture WHERE id = ANY(%s::uuid[]) AND status = 'received'
    ORDER BY id FOR UPDATE
)
UPDATE cameras_capture c
SET status = v.status, failure = v.failure, failure_sentence = v.sentence, recognised_at = %s,
    lease_until = NULL, lease_token = NULL, outcome = c.outcome || v.facts
FROM waiting JOIN unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[])
    AS v(id, status, failure, sentence, facts) USING (id)
WHERE c.id = waiting.id
RETURNING c.id
"""

_TELL = """
UPDATE cameras_capture c
SET outcome = v.outcome, judged_at = coalesce(c.judged_at, %s::timestamptz)
FROM unnest(%s::uuid[], %s::jsonb[]) AS v(id, outcome)
WHERE c.id = v.id
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """What recognition made of one capture; `facts` are plate-free and go into its outcome."""

    capture_id: uuid.UUID
    status: str
    failure: str = ""
    sentence: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def captures_finish(finished: Sequence[Finished], *, now: datetime) -> set[uuid.UUID]:
    """Give captures their status, each once; the ids of those that were still waiting.

    Whoever comes second changes nothing. One statement for all.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _FINISH,
            [
                [one.capture_id for one in finished],
                now,
                [one.capture_id for one in finished],
                [one.status for one in finished],
                [one.failure for one in finished],
                [one.sentence for one in finished],
                [json.dumps(one.facts) for one in finished],
            ],
        )
        return {row[0] for row in cursor.fetchall()}


def captures_tell(
    facts: Mapping[uuid.UUID, Mapping[str, Any]], *, judged_at: datetime | None = None
) -> int:
    """Merge plate-free facts, by capture, into what devices may know; how many captures there were.

    Objects inside (`verdicts`, by read index) merge by key, everything else replaces. The rows are
    locked meanwhile, so stages that finish together don't lose each other's facts. `judged_at`
    counts only the first time. A capture that is gone is noted in the log. Two statements for all.
    """
    if not facts:
        return 0
    with transaction.atomic(savepoint=False):
        rows = dict(
            Capture.objects.select_for_update(of=("self",))
            .filter(pk__in=list(facts))
            .order_by("pk")
            .values_list("pk", "outcome")
        )
        for gone in facts.keys() - rows.keys():
            log.info("outcome_without_capture", capture=str(gone))
        merged = [json.dumps(_merged(old, facts[pk])) for pk, old in rows.items()]
        with connection.cursor() as cursor:
            cursor.execute(_TELL, [judged_at, list(rows), merged])
    return len(rows)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        kept = merged.get(name)
        both = isinstance(kept, Mapping) and isinstance(value, Mapping)
        merged[name] = {**kept, **value} if both else value  # type: ignore[dict-item]
    return merged
