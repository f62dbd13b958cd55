"""Whether what is kept of cases still is what their site's chain says."""

from collections.abc import Iterator

from audit.access import stage_batch
from audit.services import Actor
from cameras.models import Site
from enforcement.cases.chain import chain_find
from enforcement.cases.manifest import attested_of
from enforcement.cases.models import Case, ChainEntry
from enforcement.cases.signing import signature_fits, statement_of
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

_BATCH = 100


def records_differ(site: Site, actor: Actor) -> Iterator[str]:
    """What isn't what the chain attests, a sentence each: rows that were changed or put in past it.

    Opens every text of the site's cases; one audit row a batch. Cases older than the chain are left
    out.
    """
    first = ChainEntry.objects.filter(site_id=site.pk, seq=1).first()
    if first is None:
        return
    mine = Case.objects.filter(site=site, opened_at__gte=first.at).order_by("opened_at", "pk")
    ids = list(mine.values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        cases = Case.objects.filter(pk__in=ids[start : start + _BATCH]).order_by("opened_at", "pk")
        with stage_batch(
            "evidence", purpose="quality-check", action="verify", actor=actor
        ) as access:
            found = []
            for case in cases:
                try:
                    things = attested_of(case, access)
                except (KeyDestroyed, SealBroken) as error:
                    found.append(f"case {case.number}: can't be opened: {type(error).__name__}")
                    continue
                known = chain_find(site.pk, [thing.content for thing in things])
                found += [
                    f"case {case.number}: {thing.kind} {thing.name} is not what the chain says"
                    for thing in things
                    if thing.content not in known or known[thing.content].kind != thing.kind
                ]
                found += _unsigned(case)
        yield from found


def _unsigned(case: Case) -> Iterator[str]:
    """Manifests that are not what was signed. The key is in no database: so whoever writes the
    whole chain anew, with triggers and digests, is found by what was signed before."""
    manifests = list(case.manifests.select_related("key"))
    entries = ChainEntry.objects.filter(
        site_id=case.site_id, kind="manifest", seq__in=[one.chain_seq for one in manifests]
    )
    by_seq = {entry.seq: entry for entry in entries}
    for manifest in manifests:
        entry = by_seq.get(manifest.chain_seq)
        if entry is None or bytes(entry.content) != bytes(manifest.sha256):
            yield f"case {case.number}: its manifest is not entry {manifest.chain_seq} of the chain"
            continue
        statement = statement_of(case, manifest, entry.seq, bytes(entry.digest))
        if not signature_fits(statement, manifest):
            yield f"case {case.number}: entry {entry.seq} of the chain is not what was signed"
