"""Why a person decides a case as they do: a list each way, and no default."""

from core.errors import BadInput

CONFIRM = {
    "evidence-complete": "Pictures, times and explanation agree",
    "plate-checked": "The plate was compared with the picture by eye",
    "driver-heard": "The driver was heard and it stands",
}

DISMISS = {
    "misread": "The plate in the picture is another one",
    "picture-unclear": "The picture doesn't prove it",
    "right-found": "A right was found that the system doesn't know",
    "keying-mistake": "A payment with a minor keying mistake (BPA code of practice 17.4)",
    "emergency": "An emergency or a vehicle on duty",
    "broken-equipment": "A payment machine, a sign or a camera was out of order",
    "other-vehicle": "Entry and exit show different vehicles",
    "goodwill": "Goodwill",
}

PICTURE_CAME = "picture-came"
HAPPENED = {PICTURE_CAME: "The larger picture that was asked for has joined the evidence"}
"""What happens to a case without anybody's decision."""


def checked(reasons: dict[str, str], reason: str) -> str:
    """`reason`, if the list has it; BadInput `reason_required` otherwise."""
    if reason not in reasons:
        raise BadInput("reason_required", "Choose a reason from the list.", field="reason")
    return reason
