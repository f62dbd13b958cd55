"""Becomes another program, after what only the new process itself can arrange.

Run as a script by `child.Child`, so that nothing happens between fork and exec in the supervisor:

    python -I -S launch.py '{"pid_file": …, "parent": …, "death_signal": …, "user": …,
                              "private": …}' PROGRAM ARG…

It writes the pid file (no moment in which a process runs and is not written down), asks the kernel
for a signal when the supervisor dies, steps back behind others, stops being root where PostgreSQL
would refuse it, and then *is* the program: same pid.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import signal
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1

NAMESPACE = "namespace"
"""The `user` that means: a user namespace in which our root is called by another name."""


def unprivileged_name() -> pwd.struct_passwd:
    """An account that is not root: `nobody`, or the first other one there is.

    It must exist, since initdb looks its name up.
    """
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(account for account in pwd.getpwall() if account.pw_uid != 0)


def enter_user_namespace() -> None:
    """Makes root appear as an ordinary user to this process, with root's files still its own.

    Raises OSError where the kernel or a container's seccomp profile forbids it.
    """
    uid, gid = os.geteuid(), os.getegid()
    account = unprivileged_name()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER) was refused")
    # Without "deny" the kernel refuses the map of groups to a process without rights outside.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{account.pw_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{account.pw_gid} {gid} 1")


def _become(user: str) -> None:
    if user == NAMESPACE:
        enter_user_namespace()
        return
    uid, gid = map(int, user.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _die_with_parent(number: int, parent: int) -> None:
    # After every change of user: those make the kernel forget the request.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit("the supervisor died while this process was being started")


def main(options_json: str, command: list[str]) -> None:
    options = json.loads(options_json)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from runner import pids

    if options.get("private"):
        os.umask(0o077)
    if options.get("pid_file"):
        pids.write(Path(options["pid_file"]), os.getpid())
    os.nice(options.get("nice", 0))
    if options.get("user"):
        _become(options["user"])
    _die_with_parent(options["death_signal"], options["parent"])
    # Python ignores these, and what is ignored stays so across exec.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        raise SystemExit(f"cannot start {command[0]}: {error.strerror}") from None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
