"""Control groups of both versions, on trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.machine import cgroup

TREES: dict[str, tuple[dict[str, str], float | None, int | None]] = {
    "nothing": ({}, None, None),
    "no limit": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None, None),
    "a container, which sees its own group as the top": (
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/cpu.max": "150000 100000",
            "sys/fs/cgroup/cpu.stat": "usage_usec 9\nnr_periods 7\nnr_throttled 3",
        },
        1.5,
        3,
    ),
    "a service inside a limited slice": (
        {
            "proc/self/cgroup": "0::/lab.slice/run.service",
            "sys/fs/cgroup/lab.slice/cpu.max": "50000 100000",
            "sys/fs/cgroup/lab.slice/cpu.stat": "nr_throttled 2",
            "sys/fs/cgroup/lab.slice/run.service/cpu.max": "200000 100000",
            "sys/fs/cgroup/lab.slice/run.service/cpu.stat": "nr_throttled 1",
        },
        0.5,
        3,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "5:memory:/far\n4:cpu,cpuacct:/job",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "25000",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.stat": "nr_periods 1\nnr_throttled 4\nthrottled_time 5",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        },
        0.25,
        4,
    ),
    "a container of version 1, whose path is the host's": (
        {
            "proc/self/cgroup": "4:cpu:/docker/0123",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu/cpu.stat": "nr_throttled 0",
        },
        1.0,
        0,
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_the_tightest_quota_and_all_stops_count(name: str, tmp_path: Path) -> None:
    files, quota, stops = TREES[name]
    for path, text in files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    groups = cgroup.folders(tmp_path)
    assert cgroup.quota_cores(groups) == quota
    assert cgroup.throttled(groups) == stops
