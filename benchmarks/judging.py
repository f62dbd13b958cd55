"""`./run bench judging`: how many passages a second are judged, in PostgreSQL, by two workers.

A motorway with a registry, one car park, and eight. Reads are written as the stage `recognise`
leaves them and gathered by the product; only judging is timed: from passages that wait, all of
their cameras heard of, to verdicts that are final. Every number is of vehicles known by seed: who
paid, who mistyped, who did not pay.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, connections, transaction

from benchmarks import tables
from benchmarks._registry import SEEN, fill, numbers, plate
from benchmarks.latency import RESULTS, commit
from cameras.models import Camera, Capture, Organisation, Site
from core.ids import uuid7
from enforcement.rights.intake import right_input
from enforcement.rights.models import Provider, SiteRules
from enforcement.rights.selectors import provider_sites
from enforcement.rights.services import Registrar, rights_store, schemes_load
from enforcement.visits.models import VerdictVersion
from enforcement.visits.services import passages_judge
from plates.gathering import passages_close, reads_gather
from plates.models import PlateRead
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

UNPAID: Final = 0.02
MISTYPED: Final = 0.01
_BATCH: Final = 1000
_WORKERS: Final = 2


def say(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)


def site_of(slug: str, kind: str, cameras: dict[str, str], organisation: Organisation) -> Site:
    """A site with its cameras, all of which have reported everything."""
    site = Site.objects.create(
        organisation=organisation, name=slug, slug=slug, kind=kind, timezone="Europe/Prague"
    )
    SiteRules.objects.create(
        site=site,
        effective_from=SEEN - timedelta(days=300),
        scheme="CZ" if kind == Site.Kind.VIGNETTE else "",
    )
    for name, role in cameras.items():
        Camera.objects.create(
            site=site, name=name, slug=name, role=role, through=SEEN + timedelta(days=3)
        )
    return site


def see(camera: Camera, seen: Sequence[tuple[str, datetime]]) -> None:
    """Reads of these texts at these times, as the stage `recognise` leaves them."""
    scope = str(camera.site_id)
    for start in range(0, len(seen), _BATCH):
        captures, reads = [], []
        for place, (text, when) in enumerate(seen[start : start + _BATCH], start):
            seed = f"{camera.pk}{place}"
            capture = Capture(
                id=uuid7(when, seed=seed.encode()),
                camera=camera,
                site_id=camera.site_id,
                kind=Capture.Kind.READ,
                status=Capture.Status.RECOGNISED,
                event_token=blind.token(blind.Kind.EVENT, seed),
                content_digest=bytes(32),
                captured_at=when,
                received_at=when,
            )
            assign_key(capture, scope=scope, data_class=DataClass.PENDING, now=SEEN)
            read = PlateRead(
                id=uuid7(when, seed=b"read" + capture.pk.bytes),
                capture_id=capture.pk,
                index=0,
                site_id=camera.site_id,
                camera=camera,
                captured_at=when,
                received_at=when,
                country="CZ",
                score=0.97,
                char_scores=[0.97] * len(text),
                token_exact=blind.exact(text),
                token_class=blind.equivalent(text),
            )
            assign_key(read, scope=scope, data_class=DataClass.PENDING, now=SEEN)
            seal_text(read, {"text": text, "candidates": json.dumps([[text, 0.97]])})
            captures.append(capture)
            reads.append(read)
        Capture.objects.bulk_create(captures)
        PlateRead.objects.bulk_create(reads)


def pay(site: Site, provider: Provider, stays: Sequence[tuple[str, datetime, datetime]]) -> None:
    """A payment for each of these stays, through the product's own intake."""
    registrar = Registrar(provider=provider, sites=provider_sites(provider), now=SEEN)
    for start in range(0, len(stays), _BATCH):
        deliveries = [
            registrar.row(
                right_input(
                    {
                        "kind": "payment",
                        "id": f"{site.slug}-{place}",
                        "site": site.slug,
                        "plate": text,
                        "country": "CZ",
                        "from": entered.isoformat(),
                        "to": left.isoformat(),
                    }
                )
            )
            for place, (text, entered, left) in enumerate(stays[start : start + _BATCH], start)
        ]
        with transaction.atomic():
            rights_store(deliveries, provider=provider, now=SEEN)


def motorway(organisation: Organisation, passages: int, registered: int) -> None:
    """A gantry passed by vehicles of which all but `UNPAID` are in a registry of `registered`."""
    schemes_load()
    site = site_of("motorway", Site.Kind.VIGNETTE, {"gantry": "passing"}, organisation)
    provider = Provider.objects.create(name="State registry", organisation=organisation)
    drawn = numbers(registered + passages, 3)
    fill(provider=provider, texts=drawn[:registered], say=lambda _: None)
    draw = random.Random(5)
    paying, others = drawn[:registered].tolist(), iter(drawn[registered:].tolist())
    seen = [
        (
            plate(next(others) if draw.random() < UNPAID else draw.choice(paying)),
            SEEN + timedelta(seconds=place * 86_400 / passages),
        )
        for place in range(passages)
    ]
    see(site.cameras.get(), seen)


def car_parks(organisation: Organisation, count: int, passages: int, tag: str) -> None:
    """Car parks with `passages` in all, two a stay; most pay, some mistype, some don't."""
    provider = Provider.objects.create(name=f"App {tag}", organisation=organisation)
    draw = random.Random(7)
    each = passages // count // 2
    for number in range(count):
        site = site_of(
            f"{tag}-{number}",
            Site.Kind.PARKING,
            {f"{tag}-in-{number}": "entry", f"{tag}-out-{number}": "exit"},
            organisation,
        )
        stays = []
        for place, one in enumerate(numbers(each, 11 + number).tolist()):
            entered = SEEN + timedelta(seconds=place * 43_200 / each)
            stays.append((plate(one), entered, entered + timedelta(minutes=draw.randint(20, 240))))
        paid = []
        for text, entered, left in stays:
            chance = draw.random()
            if chance < UNPAID:
                continue
            if chance < UNPAID + MISTYPED:
                text = text[:-1] + str((int(text[-1]) + 1) % 10)
            paid.append((text, entered, left + timedelta(minutes=5)))
        pay(site, provider, paid)
        cameras = {camera.role: camera for camera in site.cameras.all()}
        see(cameras["entry"], [(text, entered) for text, entered, _ in stays])
        see(cameras["exit"], [(text, left) for text, _, left in stays])


def gather(now: datetime) -> None:
    """Reads into passages, and these closed: as the product does it, untimed."""
    while reads_gather(now=now):
        pass
    while passages_close(now=now):
        pass
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def judge(now: datetime) -> tuple[int, float]:
    """Judge until nothing waits; how many, and seconds of this worker's processor."""
    began = time.process_time()
    done = 0
    while step := passages_judge(now=now):
        done += step
    return done, time.process_time() - began


def measured(name: str) -> dict[str, Any]:
    """Judge all that waits with two workers; passages a second, and what came out."""
    now = SEEN + timedelta(days=3)
    gather(now)
    before = set(VerdictVersion.objects.filter(current=True).values_list("pk", flat=True))
    connections.close_all()
    began = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(_WORKERS) as pool:
        done = pool.map(judge, [now] * _WORKERS)
    seconds = time.perf_counter() - began
    counts: dict[str, int] = {}
    fresh = VerdictVersion.objects.filter(current=True).exclude(pk__in=before)
    for verdict, reason in fresh.values_list("verdict", "reason"):
        said = f"{verdict} {reason}"
        counts[said] = counts.get(said, 0) + 1
    passages = sum(one for one, _ in done)
    say(f"{name}: {passages} passages in {seconds:.1f} s")
    return {
        "passages": passages,
        "seconds": round(seconds, 2),
        "per_second": round(passages / seconds),
        "worker_cpu_ms": round(1000 * sum(cpu for _, cpu in done) / max(1, passages), 3),
        "verdicts": dict(sorted(counts.items())),
    }


def main(argv: list[str] | None = None) -> int:
    """Fill, judge, print the table; 0 where each reaches a thousand a second."""
    parser = argparse.ArgumentParser(prog="./run bench judging", description=__doc__)
    parser.add_argument("--passages", type=int, default=20_000, help="of each scene (20000)")
    parser.add_argument("--registry", type=int, default=200_000, help="vignettes (200000)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON last")
    options = parser.parse_args(argv)
    organisation = Organisation.objects.create(name="Operator")
    scenes: dict[str, Any] = {}
    motorway(organisation, options.passages, options.registry)
    scenes["motorway"] = measured("motorway")
    car_parks(organisation, 1, options.passages, "one")
    scenes["one car park"] = measured("one car park")
    car_parks(organisation, 8, options.passages, "eight")
    scenes["eight car parks"] = measured("eight car parks")
    rows = [
        [
            name,
            str(one["passages"]),
            f"{one['per_second']} /s",
            f"{one['worker_cpu_ms']} ms",
            ", ".join(f"{said} {count}" for said, count in one["verdicts"].items()),
        ]
        for name, one in scenes.items()
    ]
    header = ["", "passages", "judged", "worker CPU each", "verdicts"]
    title = f"Judging with {_WORKERS} workers on {os.cpu_count()} cores, PostgreSQL beside them"
    print(tables.table(title, header, rows))
    kept = {"commit": commit(), "scenes": scenes}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "judging.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
    if options.json:
        print(json.dumps(kept))
    return int(any(one["per_second"] < 1000 for one in scenes.values()))
