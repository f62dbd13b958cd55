"""A disk that is really full: the least is given up, what counts is kept, the spool works on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


def test_reads_are_kept_on_a_full_disk_at_the_cost_of_frames(tmp_path: Path) -> None:
    probe = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", str(tmp_path)]
    try:
        if subprocess.run(probe, capture_output=True, check=False, timeout=30).returncode:
            pytest.skip("no mount namespace may be made here")
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    child = [sys.executable, "-m", "tests.integration.edge.full_disk", str(tmp_path)]
    done = subprocess.run(
        [*OWN_MOUNTS, *child], capture_output=True, check=False, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr.decode()
    said = json.loads(done.stdout)
    assert said["reserved"]
    told = said["told"]
    assert told["spool_disk_full"] > 0
    assert said["failed"] == 0
    assert len(said["kept"]) == 1000
    reads = [f"read-{number}" for number in range(1200)]
    frames = [one for one in said["before"] if one.startswith("frame")]
    assert [one for one in said["before"] if one.startswith("read")] == reads
    assert frames == [f"frame-{number}" for number in range(200 - len(frames), 200)]
    assert told["spool_evicted_frame"] == 200 - len(frames)
    assert "spool_evicted_read" not in told
    assert said["after"] == said["before"][50:]
    assert said["again"] == said["after"]
