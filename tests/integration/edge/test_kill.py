"""kill -9 at any moment, 200 times: what was spooled arrives, once, in order."""

import multiprocessing
import random
import threading
from pathlib import Path

from tests.integration.edge.faults import FaultProxy, Intake, by_chance
from tests.integration.edge.living import live, make_device

KILLS = 200
SPANS = (0.0, 0.06)  # seconds a device lives after its first item


def test_killed_two_hundred_times(tmp_path: Path) -> None:
    folder, log = tmp_path / "spool", tmp_path / "kept"
    draw = random.Random(4)
    intake = Intake()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.integration.edge.living"])
    proxy = FaultProxy("", by_chance(4, 0.2))
    proxy.slow_s = 0.005
    with intake.serving() as upstream:
        proxy.upstream = upstream.removeprefix("http://")
        with proxy.serving() as url:
            first = 0
            for _ in range(KILLS):
                born: multiprocessing.Queue[int] = context.Queue()
                child = context.Process(target=live, args=(folder, url, log, first, born))
                child.start()
                born.get(timeout=60)
                threading.Event().wait(draw.uniform(*SPANS))
                child.kill()
                child.join()
                assert child.exitcode == -9
                # the item it was about to note may be in the spool: the next begins behind it
                first = int(log.read_text().split()[-1]) + 2
            spool, sender = make_device(folder, upstream)
            in_spool = spool.state().waiting
            while sender.step() is not None:
                pass
            assert spool.state().waiting == 0
            assert spool.refused() == []
            spool.close()
    kept = [int(line) for line in log.read_text().split()]
    arrived = [int(name.partition("-")[2]) for name in intake.order]
    assert len(kept) > KILLS
    assert set(kept) <= set(arrived)
    assert len(set(arrived) - set(kept)) <= KILLS  # put, and killed before it was noted
    assert arrived == sorted(arrived)
    assert intake.conflicts == []
    assert in_spool < len(kept), "none was sent while it lived"
