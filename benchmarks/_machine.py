"""What the site's processes cost: CPU seconds and memory by kind, from /proc (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_MIB = 1024


@dataclass(frozen=True)
class Cost:
    """CPU seconds so far, processes, and MiB of memory: the sum of shares (PSS), the most (RSS)."""

    cpu_s: float
    processes: int
    pss_mib: float
    rss_mib: float


def costs(run: Path) -> dict[str, Cost]:
    """The cost of each supervised process with whatever it forked, by the name of its pid file in
    the folder `run`, and of this one as `load`."""
    roots = {path.stem: int(path.read_text().split()[0]) for path in run.glob("*.pid")}
    return {name: _cost(pid) for name, pid in {**roots, "load": os.getpid()}.items()}


def _cost(root: int) -> Cost:
    cpu, pss, rss, count = 0.0, 0.0, 0.0, 0
    for pid in [root, *_descendants(root)]:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu += sum(map(int, fields[11:15])) / _TICK  # its own, and of children it has reaped
            count += 1
            memory = _memory(pid)
        except (OSError, ValueError):
            continue
        pss += memory.get("Pss", 0.0)
        rss = max(rss, memory.get("Rss", 0.0))
    return Cost(round(cpu, 2), count, round(pss, 1), round(rss, 1))


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in map(int, task.read_text().split()):
                found += [child, *_descendants(child)]
        except OSError:
            continue
    return found


def _memory(pid: int) -> dict[str, float]:
    """MiB by the names of smaps_rollup; {} where it may not be read."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0].rstrip(":"): int(pair[1]) / _MIB for pair in pairs}
