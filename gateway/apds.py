"""APDS sessions and assigned rights, as the UK's National Parking Platform speaks them.

A session is a payment for the time from `actualStart` to `actualEnd`, without an end while it runs.
An assigned right is a permit from its planned use, or else its issuance, to its expiry. A place
(`hierarchyElement`) is a site by its slug or id.

What is peculiar to these clients: they send a session that has ended under the version it was begun
with, by PUT. So a version of theirs is a thousand of ours: PUT takes the next one of its thousand
where it says something new, and a late PUT of an older version still changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import BadInput, Conflict
from enforcement.rights.api import RightsGate
from enforcement.rights.intake import (
    RightInput,
    checked,
    country_of,
    instant_of,
    number_of,
    plate_of,
    plates_of,
    right_input,
    text_of,
)
from enforcement.rights.models import Right
from enforcement.rights.own import own_rights, own_says, own_site, own_texts, own_versions
from enforcement.rights.services import right_receive

PAGE = 100
_VERSIONS = 1000
_MOST_VERSION = 1_999_999
_TRIES = 5
_CLASS = re.compile(r"([A-Z]{2})NumberPlate")
_UNIX = re.compile(r"[0-9]{1,11}", re.ASCII)
_PLATE = "licensePlate"


# --- what they say -------------------------------------------------------------------------------


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    if part is None:
        return {}
    if not isinstance(part, Mapping):
        raise BadInput("not_an_object", "This must be an object.", field=name)
    return part


def _vehicle(body: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """(plates, country) of the credentials that are plates; others are passed over."""
    credentials = body.get("credentials", _part(body, "rightHolder").get("credentials"))
    if not isinstance(credentials, list):
        raise BadInput("credentials_missing", "Name the vehicle.", field="credentials")
    plates, countries = [], set()
    for one in credentials:
        if not isinstance(one, Mapping) or one.get("type", _PLATE) != _PLATE:
            continue
        identifier = _part(one, "identifier")
        plates.append(plate_of(identifier.get("id"), "credentials"))
        of_class = _CLASS.fullmatch(text_of(identifier.get("className"), "className", 60))
        countries.add(country_of(of_class[1] if of_class else None, "className"))
    if len(countries) > 1:
        raise BadInput(
            "several_countries", "All plates must be of one country.", field="credentials"
        )
    return plates_of(plates), countries.pop() if countries else ""


def _named(body: Any) -> tuple[Mapping[str, Any], str, int]:
    """(the object, its id, its version)."""
    if not isinstance(body, Mapping):
        raise BadInput("not_an_object", "Send one JSON object.")
    right_id = text_of(body.get("id"), "id", 200)
    if not right_id:
        raise BadInput("id_missing", "It needs its own id.", field="id")
    version = number_of(body.get("version", 1), "version", 0, _MOST_VERSION)
    return body, right_id, 1 if version is None else version


def _place(body: Mapping[str, Any]) -> str:
    found = text_of(_part(body, "hierarchyElement").get("id"), "hierarchyElement", 60)
    return found or text_of(body.get("place"), "place", 60)


def session(body: Mapping[str, Any], right_id: str, site: str) -> RightInput:
    """The payment a session is; BadInput names the field that is wrong."""
    plates, country = _vehicle(body)
    start = instant_of(body.get("actualStart"), "actualStart")
    if start is None:
        raise BadInput("actualStart_missing", "Say when it began.", field="actualStart")
    end = instant_of(body.get("actualEnd"), "actualEnd")
    if end is not None and end < start:
        raise BadInput("ends_before_start", "It ends before it starts.", field="actualEnd")
    payment = right_input(
        {
            "kind": "payment",
            "id": right_id,
            "plates": list(plates),
            "country": country or None,
            "site": site,
            "from": start.isoformat(),
            "to": (end or start).isoformat(),
        }
    )
    return replace(payment, end=end)  # a session that runs has no end yet


def assigned_right(body: Mapping[str, Any], right_id: str, site: str) -> RightInput:
    """The permit an assigned right is; BadInput names the field that is wrong."""
    plates, country = _vehicle(body)
    uses = body.get("plannedUses")
    planned = uses[0] if isinstance(uses, list) and uses else {}
    if not isinstance(planned, Mapping):
        raise BadInput("not_an_object", "A planned use is an object.", field="plannedUses")
    start = instant_of(planned.get("startTime"), "plannedUses")
    end = instant_of(planned.get("endTime"), "plannedUses")
    start = start or instant_of(body.get("issuanceTime"), "issuanceTime")
    end = end or instant_of(body.get("expiry"), "expiry")
    if start is not None and end is not None and end < start:
        raise BadInput("ends_before_start", "It ends before it starts.", field="expiry")
    return checked(
        RightInput(
            kind=Right.Kind.PERMIT,
            id=right_id,
            plates=plates,
            country=country,
            site=site,
            start=start,
            end=end,
            max_present=len(plates),
        )
    )


# --- versions ------------------------------------------------------------------------------------


def _place_version(known: list[Right], version: int, *, replacing: bool) -> int:
    """The version of ours: the first of the thousand, or for a PUT the next free one."""
    first = version * _VERSIONS
    taken = [right.version for right in known if first <= right.version < first + _VERSIONS]
    if not taken or not replacing:
        return first
    if max(taken) + 1 == first + _VERSIONS:
        raise Conflict("version_conflict", "Raise the version.", field="version")
    return max(taken) + 1


class _ApdsGate(RightsGate):
    """What sessions and assigned rights share."""

    read = staticmethod(session)
    what = "session"
    kind: str = Right.Kind.PAYMENT

    def take(self, body: Any, *, named: str | None, replacing: bool) -> Response:
        """Store what a POST or PUT says."""
        body, right_id, version = _named(body)
        if named is not None and named != right_id:
            raise BadInput("id_differs", "The address names another id.", field="id")
        place = _place(body)
        site = own_site(self.provider(), place, field="hierarchyElement") if place else None
        if site is None and self.kind == Right.Kind.PAYMENT:
            raise BadInput("site_missing", "Say for which place.", field="hierarchyElement")
        data = type(self).read(body, right_id, site.slug if site else "")
        created = self._store(data, version, replacing)
        status = 201 if created and not replacing else 200
        done = "created" if status == 201 else "stored" if created else "known"
        return Response(
            {
                "code": status,
                "status": "Created" if status == 201 else "OK",
                "message": f"{self.what} {done}",
                "id": right_id,
                "version": version,
            },
            status=status,
        )

    def _store(self, data: RightInput, version: int, replacing: bool) -> bool:
        for left in reversed(range(_TRIES)):
            known = own_versions(self.provider(), data.kind, data.id)
            if replacing and self._said_before(known, data, version):
                return False
            ours = _place_version(known, version, replacing=replacing)
            try:
                _, created = right_receive(
                    provider=self.provider(),
                    data=replace(data, version=ours),
                    actor=self.actor(),
                    now=timezone.now(),
                )
            except Conflict:
                if not replacing or not left:
                    raise
                continue  # another PUT took that number meanwhile
            return created
        raise AssertionError("unreachable")

    def _said_before(self, known: list[Right], data: RightInput, version: int) -> bool:
        """Whether the newest of that version says just this: then a PUT is a repeat."""
        first = version * _VERSIONS
        mine = [right for right in known if first <= right.version < first + _VERSIONS]
        return bool(mine) and own_says(mine[-1], data)


@extend_schema(exclude=True)  # their format, not ours
class SessionsView(_ApdsGate):
    """Sessions: the payments of whoever parks."""

    def post(self, request: Request, right_id: str | None = None) -> Response:
        """A new session; a repeat is answered 200."""
        return self.take(request.data, named=right_id, replacing=False)

    def put(self, request: Request, right_id: str | None = None) -> Response:
        """What a session has become."""
        return self.take(request.data, named=right_id, replacing=True)


@extend_schema(exclude=True)
class AssignedRightsView(_ApdsGate):
    """Assigned rights: what vehicles may do until they expire."""

    read = staticmethod(assigned_right)
    what = "assigned right"
    kind = Right.Kind.PERMIT

    def post(self, request: Request, right_id: str | None = None) -> Response:
        """A new right; a repeat is answered 200."""
        return self.take(request.data, named=right_id, replacing=False)

    def put(self, request: Request, right_id: str | None = None) -> Response:
        """What a right has become."""
        return self.take(request.data, named=right_id, replacing=True)

    def get(self, request: Request, right_id: str | None = None) -> Response:
        """The provider's own rights and sessions, by place, plate and start."""
        asked = request.query_params
        provider, actor, now = self.provider(), self.actor(), timezone.now()
        place = text_of(asked.get("place"), "place", 60)
        plate = asked.get("credential_id") or asked.get("identifier_id")
        rights = own_rights(
            provider,
            actor=actor,
            kinds=(Right.Kind.PAYMENT, Right.Kind.PERMIT),
            right_id=right_id,
            site=own_site(provider, place, field="place") if place else None,
            plate=plate_of(plate, "credential_id") if plate else None,
            start_after=_after(asked.get("start_after")),
        )
        offset = _offset(asked.get("offset"))
        page = list(rights[offset : offset + PAGE])
        return Response(
            {
                "meta": {
                    "referenceInstant": int(now.timestamp()),
                    "offset": offset,
                    "pageSize": PAGE,
                    "total": rights.count(),
                },
                "data": [_shown(*one, provider.name) for one in own_texts(page, actor=actor)],
            }
        )


def _after(text: str | None) -> datetime | None:
    """Unix seconds, or ISO 8601; BadInput `time_unreadable`, `naive_time`."""
    if not text:
        return None
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    return instant_of(text.replace(" ", "+"), "start_after")  # a plus sign left as it is


def _offset(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise BadInput("not_a_number", "This must be a whole number.", field="offset")
    return int(text)


def _shown(right: Right, name: str, plates: list[tuple[str, str]], issuer: str) -> dict[str, Any]:
    def instant(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")

    credentials = [
        {
            "type": _PLATE,
            "identifier": {
                "id": text,
                "className": f"{'UK' if country == 'GB' else country}NumberPlate",
            },
        }
        for text, country in plates
    ]
    place = {"hierarchyElement": {"id": right.site.slug, "version": 1}} if right.site else {}
    return {
        "id": name,
        "version": right.version // _VERSIONS or right.version,
        "rightHolder": {"credentials": credentials},
        **place,
        "plannedUses": [{"startTime": instant(right.starts_at), "endTime": instant(right.ends_at)}],
        "issuanceTime": instant(right.known_at),
        "expiry": instant(right.ends_at),
        "assignedRightIssuer": {"id": issuer, "className": "DigitalServiceProvider"},
        "issueMethod": "electronic",
    }
