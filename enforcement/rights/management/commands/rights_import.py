"""`manage rights_import --layout permits --site north FILE`: rights by CSV."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from cameras.models import Site
from enforcement.rights.commandline import add_file_arguments, import_file, shell_actor
from enforcement.rights.importing import COLUMNS, Layout, import_rights
from enforcement.rights.models import Provider
from enforcement.rights.selectors import provider_sites


class Command(BaseCommand):
    """The admin's import, for files of any size; docs/rights-in.md."""

    help = "Import permits, vignettes or payments from a CSV file, streamed."

    def add_arguments(self, parser: CommandParser) -> None:
        """What the file holds, and whose it is."""
        parser.add_argument(
            "--layout",
            required=True,
            choices=[layout.value for layout in Layout],
            help="; ".join(f"{name}: {', '.join(needs)}" for name, (needs, _) in COLUMNS.items()),
        )
        parser.add_argument("--site", default="", metavar="SLUG", help="where the rights count")
        parser.add_argument(
            "--provider", default="", metavar="NAME", help="whose rights they are (name or slug)"
        )
        add_file_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Import; exit code 3 where rows were refused."""
        provider = _provider(options["provider"])
        sites = provider_sites(provider) if provider else Site.objects.all()
        site = sites.filter(slug=options["site"]).first()
        if options["site"] and site is None:
            raise CommandError("There is no such site, or the provider's rights don't count there.")
        import_file(
            lambda source, told: import_rights(
                source,
                layout=Layout(options["layout"]),
                site=site,
                provider=provider,
                actor=shell_actor(),
                now=timezone.now(),
                all_or_nothing=options["all_or_nothing"],
                state_of=options["state_of"].upper(),
                told=told,
            ),
            options,
            out=self.stdout,
            err=self.stderr,
        )


def _provider(name: str) -> Provider | None:
    if not name:
        return None
    provider = Provider.objects.filter(Q(name=name) | Q(slug=name)).first()
    if provider is None:
        raise CommandError("There is no such provider.")
    return provider
