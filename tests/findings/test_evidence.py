"""Evidence on disk, compressed or not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bench.base.errors import OutputError
from bench.findings import store
from tests.findings.test_run import FINDING, campaign, played


def test_evidence_is_read_compressed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, 2.0)
    campaign(tmp_path / "f.jsonl", [FINDING]).run()
    packed = tmp_path / "f.jsonl.gz"
    packed.write_bytes(gzip.compress((tmp_path / "f.jsonl").read_bytes()))
    assert store.read(packed).replicates == store.read(tmp_path / "f.jsonl").replicates
    packed.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(OutputError):
        store.read(packed)
