"""What a person may do about a case just now: the pages show these steps and no others."""

from dataclasses import dataclass

from core.models import User
from enforcement.cases.decisions import STEPS
from enforcement.cases.models import OPEN_STATES, Case
from enforcement.cases.policies import CasePolicy


@dataclass(frozen=True, slots=True)
class Possible:
    """`second`: the site asks for two people; `mine`: this person was the first of them. The other
    fields are steps that may be taken."""

    second: bool
    mine: bool
    confirm: bool
    dismiss: bool
    correct: bool
    pay: bool
    appeal: bool
    answer: bool
    cancel: bool
    write_off: bool

    @property
    def decide(self) -> bool:
        """Something may be decided before a notice."""
        return self.confirm or self.dismiss

    @property
    def end(self) -> bool:
        """The notice may be taken back or given up."""
        return self.cancel or self.write_off


def steps_possible(case: Case, user: User, policy: CasePolicy | None) -> Possible:
    """The steps `user` may take; `policy` is the one in force now at the site."""
    following = STEPS.get(case.state, ())
    second = policy is not None and policy.four_eyes
    mine = second and case.vouched_by_id == user.pk
    appealed = case.state == Case.State.APPEALED
    return Possible(
        second=second,
        mine=mine,
        confirm="confirmed" in following and not mine,
        dismiss="dismissed" in following,
        correct=case.state in OPEN_STATES,
        pay="paid" in following,
        appeal="appealed" in following,
        answer=appealed and not (second and case.decided_by_id == user.pk),
        cancel="cancelled" in following and not appealed,
        write_off="written-off" in following,
    )
