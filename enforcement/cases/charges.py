"""What the unpaid part of a stay costs by the site's tariff."""

from enforcement.cases.policies import CasePolicy
from enforcement.cases.subjects import CaseSubject
from enforcement.rights.models import Right
from enforcement.rights.selectors import stay_charge
from enforcement.visits.models import VerdictVersion


def unpaid_charge(
    verdict: VerdictVersion, subject: CaseSubject, policy: CasePolicy | None
) -> int | None:
    """The charge of a stay beyond the rights its verdict counted, in minor units.

    None at anything but a car park, without a tariff, and where the tariff's currency is not that
    of the site's notices: such an amount could not be asked for.
    """
    if verdict.visit_id is None or len(subject.passages) < 2:
        return None
    entry, leaving = subject.passages[0], subject.passages[-1]
    counted = [
        line["right_id"] for line in verdict.explanation if line["applied"] and line["right_id"]
    ]
    start, end = entry.first_at, leaving.first_at
    covered = [
        (right.starts_at or start, right.ends_at or end)
        for right in Right.objects.filter(pk__in=counted)
    ]
    charge = stay_charge(verdict.site, start, end, zone_id=entry.camera.zone_id, covered=covered)
    if charge is None or (policy is not None and charge.currency != policy.currency):
        return None
    return charge.amount
