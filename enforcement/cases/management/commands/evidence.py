"""`manage evidence export|verify|verify-chain|keys`: hand out evidence, and check it."""

import argparse
import base64
import getpass
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.purposes import for_people
from audit.services import Actor
from cameras.models import Site
from core.errors import NotFound, ProductError
from enforcement.cases import verifying
from enforcement.cases.chain import chain_sites, chain_verify
from enforcement.cases.checking import records_differ
from enforcement.cases.models import Case
from enforcement.cases.packs import Pack, pack_make
from enforcement.cases.signing import public_keys
from vault.keyring import KeyringError
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken


class Command(BaseCommand):
    help = "Export evidence packs, verify packs and chains, list the keys that sign."
    requires_system_checks: list[str] = []  # `verify` has no use for them

    def add_arguments(self, parser: CommandParser) -> None:
        """A subcommand, and its own arguments."""
        what = parser.add_subparsers(dest="what", required=True)
        export = what.add_parser("export", help="write the evidence packs of cases into a folder")
        export.add_argument("cases", nargs="+", metavar="CASE", help="a number: 2026-000123")
        export.add_argument("--to", required=True, type=Path, metavar="DIR")
        codes = [purpose.code for purpose in for_people()]
        export.add_argument("--purpose", required=True, choices=codes, help="why, from the list")
        export.add_argument(
            "--reference", default="", help="case or file reference; the case's number by default"
        )
        verify = what.add_parser("verify", help="verify packs: needs no database")
        verify.add_argument("rest", nargs=argparse.REMAINDER, metavar="PACK")
        chain = what.add_parser("verify-chain", help="verify the evidence chain of sites")
        chain.add_argument("site", nargs="?", metavar="SITE", help="a site's slug; all by default")
        chain.add_argument(
            "--records", action="store_true", help="also that each row is what the chain says"
        )
        what.add_parser("keys", help="the public keys that packs are, or were, signed with")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand."""
        match options["what"]:
            case "export":
                self._export(options)
            case "verify":
                if worst := verifying.main(options["rest"]):
                    raise CommandError("not every pack is sound", returncode=worst)
            case "verify-chain":
                self._verify_chain(options["site"], options["records"])
            case _:
                self._keys()

    def _export(self, options: dict[str, Any]) -> None:
        folder: Path = options["to"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder")
        failed = 0
        for number in dict.fromkeys(options["cases"]):
            try:
                pack = self._pack(number, options["purpose"], options["reference"])
                path = folder / pack.name
                _write(path, pack.data)
            except (ProductError, KeyringError, KeyDestroyed, SealBroken, OSError) as error:
                failed += 1
                why = str(error) or type(error).__name__
                self.stderr.write(f"{number}: {why}")
            else:
                self.stdout.write(f"{path}  {len(pack.data)} bytes, signed with {pack.key}")
        if failed:
            raise CommandError(f"{failed} not exported")

    def _pack(self, number: str, purpose: str, reference: str) -> Pack:
        found = Case.objects.filter(number=number).only("pk").first()
        if found is None:
            raise NotFound("not_found", "There is no such case here.")
        return pack_make(
            case_id=found.pk,
            actor=_actor(),
            purpose=purpose,
            case_ref=reference,
            now=timezone.now(),
        )

    def _verify_chain(self, slug: str | None, records: bool) -> None:
        sites = {site.pk: site for site in Site.objects.all()}
        wanted = [
            pk for pk in chain_sites() if slug is None or getattr(sites.get(pk), "slug", "") == slug
        ]
        if slug is not None and not any(site.slug == slug for site in sites.values()):
            raise CommandError(f"there is no site {slug}")
        broken = 0
        for pk in wanted:
            site = sites.get(pk)
            name = site.slug if site is not None else f"{pk} (a site that is gone)"
            report = chain_verify(pk)
            if report.broken_at is not None:
                broken += 1
                self.stderr.write(f"{name}: BROKEN at entry {report.broken_at}: {report.why}")
                continue
            self.stdout.write(f"{name}: {report.entries} entries, whole")
            for problem in records_differ(site, _actor()) if records and site is not None else ():
                broken += 1
                self.stderr.write(f"{name}: {problem}")
        if broken:
            raise CommandError("the evidence is not what it was")
        if not wanted:
            self.stdout.write("there is no evidence yet")

    def _keys(self) -> None:
        try:
            keys = public_keys()
        except KeyringError as error:
            raise CommandError(str(error)) from error
        for key in keys:
            state = "active" if key.active else "kept" if key.here else "retired"
            since = f"since {key.first_used_at:%Y-%m-%d}" if key.first_used_at else "not used yet"
            public = base64.b64encode(key.public).decode()
            self.stdout.write(f"{key.fingerprint}  {public}  {state}, {since}")


def _actor() -> Actor:
    """Whoever sits at the shell."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        name = str(os.getuid())
    return Actor("command", name, place="evidence")


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and for its owner only."""
    part = path.with_name(f".{path.name}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
