"""What a case keeps: texts, pictures and crops, sealed anew under the class of cases."""

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime

from audit.access import Access
from cameras.models import Capture
from enforcement.cases.chain import Entry
from enforcement.cases.models import Case, Evidence
from enforcement.cases.records import evidence_entry, salt_new
from plates.models import Passage, PlateRead
from vault.models import DataClass
from vault.sealing import assign_key, seal_file, seal_text

_MOST_READS = 3


def evidence_copy(
    case: Case, passages: Iterable[Passage], *, access: Access, now: datetime
) -> list[Entry]:
    """Keep the first, the best and the last read of each passage for `case`; what the chain is to
    attest of them, in the same transaction.

    A picture that is gone already is left out. Repeating it keeps nothing twice.
    """
    by_id = {passage.pk: passage for passage in passages}
    reads: dict[uuid.UUID, list[PlateRead]] = {pk: [] for pk in by_id}
    found = PlateRead.objects.filter(passage_id__in=list(by_id)).select_related("camera__site")
    for read in found.order_by("captured_at", "id"):
        if read.passage_id is not None:
            reads[read.passage_id].append(read)
    kept = {evidence.capture_id for evidence in case.evidence.all()}
    chosen: dict[uuid.UUID, PlateRead] = {}
    for pk, of_passage in reads.items():
        for read in _telling(of_passage, by_id[pk]):
            if read.capture_id not in kept:
                chosen.setdefault(read.capture_id, read)
    # to these a larger picture may just be coming: either it is here by now, or whoever brings it
    # waits for this case and finds it (`enforcement.cases.pictures`)
    open_ = Capture.objects.filter(pk__in=list(chosen), kind=Capture.Kind.READ, picture="")
    list(open_.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk"))
    captures = Capture.objects.in_bulk(list(chosen))
    made = [
        _sealed(case, read, captures.get(capture_id), access, now)
        for capture_id, read in chosen.items()
    ]
    Evidence.objects.bulk_create([evidence for evidence, _ in made])
    return [entry for _, entry in made]


def evidence_set_aside(case: Case, passages: Iterable[Passage], *, now: datetime) -> None:
    """Set aside what is of no passage of the case any more, and take back what is again.

    A visit that was paired differently may have left another vehicle's pictures behind. What a
    person corrected stays: the correction speaks of it.
    """
    reads = PlateRead.objects.filter(passage_id__in=[one.pk for one in passages])
    own = set(reads.values_list("capture_id", flat=True))
    if not own:
        return  # forgotten meanwhile: nothing can be told apart
    corrected = case.corrections.values("evidence")
    others = case.evidence.exclude(capture_id__in=own).exclude(pk__in=corrected)
    others.filter(set_aside_at__isnull=True).update(set_aside_at=now)
    case.evidence.filter(capture_id__in=own).update(set_aside_at=None)


def evidence_complete(
    case: Case, read: PlateRead, capture: Capture, *, access: Access, now: datetime
) -> tuple[Evidence, Entry | None] | None:
    """Keep the picture of a read that came later for `case`, with the read itself if that is not
    kept yet, and what the chain is to attest of it; None where the picture is kept already.

    FileNotFoundError, KeyDestroyed or SealBroken when it is gone already.
    """
    evidence = case.evidence.filter(capture_id=capture.pk).first()
    if evidence is None:
        evidence, entry = _sealed(case, read, capture, access, now)
        evidence.save(force_insert=True)
        return evidence, entry
    if evidence.picture:
        return None
    picture = access.file(capture, "picture")
    seal_file(evidence, "picture", picture, now=now)
    evidence.picture_sha256, evidence.quad = _intake(capture, picture), _quad(read, capture)
    evidence.save(update_fields=["picture", "picture_sha256", "quad"])
    if evidence.salt is None:
        return evidence, None  # kept before there was a chain
    text, salt = access.text(evidence), access.text(evidence, "salt")
    return evidence, evidence_entry(case, evidence, text=text, salt=salt)


def _quad(read: PlateRead, capture: Capture | None) -> list[float] | None:
    """The plate's corners in the picture; those of the crop a device sent are none of the larger
    picture it was asked for."""
    return None if capture is not None and capture.wanted_at is not None else read.quad


def _telling(reads: list[PlateRead], passage: Passage) -> list[PlateRead]:
    if not reads:
        return []
    best = next((read for read in reads if read.pk == passage.best_read_id), reads[0])
    return list({read.pk: read for read in (reads[0], best, reads[-1])}.values())[:_MOST_READS]


def _sealed(
    case: Case, read: PlateRead, capture: Capture | None, access: Access, now: datetime
) -> tuple[Evidence, Entry]:
    text, salt = access.text(read), salt_new()
    evidence = Evidence(
        case=case,
        role=read.camera.role,
        camera_name=str(read.camera),
        captured_at=read.captured_at,
        received_at=read.received_at,
        score=read.score,
        char_scores=list(read.char_scores),
        quad=_quad(read, capture),
        models_used=read.models_used,
        picture_sha256=capture.picture_sha256 if capture is not None else None,
        capture_id=read.capture_id,
        token_exact=read.token_exact,
    )
    assign_key(evidence, scope=str(case.site_id), data_class=DataClass.CASE, now=now)
    seal_text(evidence, {"text": text, "salt": salt})
    for name, sources in (("picture", (capture,)), ("crop", (read, capture))):
        source = next((one for one in sources if one is not None and getattr(one, name)), None)
        if source is None:
            continue
        try:
            data = access.file(source, name)
        except FileNotFoundError:
            continue
        seal_file(evidence, name, data, now=now)
        if name == "picture":
            evidence.picture_sha256 = _intake(source, data)
        else:
            evidence.crop_sha256 = hashlib.sha256(data).digest()
    return evidence, evidence_entry(case, evidence, text=text, salt=salt)


def _intake(capture: Capture | PlateRead, picture: bytes) -> bytes:
    """The SHA-256 of a picture as it came in."""
    taken = capture.picture_sha256 if isinstance(capture, Capture) else None
    return bytes(taken) if taken is not None else hashlib.sha256(picture).digest()
