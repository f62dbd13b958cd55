"""`manage hotlist_import --list stolen --user anna FILE`: a watchlist's entries by CSV."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.models import User
from enforcement.rights.commandline import add_file_arguments, import_file
from enforcement.watchlist.importing import import_entries
from enforcement.watchlist.models import Watchlist

_MOST_DAYS = 3650


class Command(BaseCommand):
    """The admin's import, for files of any size; docs/rights-in.md."""

    help = "Put the plates of a CSV file on a watchlist, streamed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which list, and in whose name."""
        parser.add_argument("--list", required=True, metavar="NAME", help="the watchlist")
        parser.add_argument(
            "--user", required=True, metavar="NAME", help="in whose name; a second one approves"
        )
        parser.add_argument(
            "--days", type=int, metavar="N", help="rows without ExpiryDate expire after N days"
        )
        add_file_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Import; exit code 3 where rows were refused."""
        watchlist = Watchlist.objects.filter(name=options["list"]).first()
        if watchlist is None:
            raise CommandError("There is no such list.")
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError("There is no such user.")
        now = timezone.now()
        days = options["days"]
        if days is not None and not 1 <= days <= _MOST_DAYS:
            raise CommandError(f"--days is between 1 and {_MOST_DAYS}.")
        import_file(
            lambda source, told: import_entries(
                source,
                watchlist=watchlist,
                user=user,
                now=now,
                all_or_nothing=options["all_or_nothing"],
                expires_at=None if days is None else now + timedelta(days=days),
                state_of=options["state_of"].upper(),
                told=told,
            ),
            options,
            out=self.stdout,
            err=self.stderr,
        )
