"""What the Dockerfile and the compose file promise, and one image that is really built."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.cli import COMMANDS
from bench.machine.doctor import examine

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
BASE = "python:3.12-slim-bookworm"


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return each stage's instructions with those of the stages it is made from, in order."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for instruction, arguments in instructions():
        if instruction == "FROM":
            base, _, name = arguments.split()
            found[name] = [*found.get(base, []), (instruction, arguments)]
        elif name:
            found[name].append((instruction, arguments))
    return found


@pytest.mark.parametrize("image", ["runner", "cuda"])
def test_an_image_runs_as_nobody_in_particular_and_asks_the_doctor(image: str) -> None:
    stage = stages()[image]
    assert [a for i, a in stage if i == "USER"][-1] == "10001:10001"
    assert stage[-1][0] == "USER", "nothing runs as root after it"
    assert any(i == "HEALTHCHECK" and "bench doctor" in a for i, a in stage)
    assert ("ENTRYPOINT", '["bench"]') in stage
    assert not any(i == "COPY" and "--from=" not in a for i, a in stage), "sources stay in the builder"


def test_the_base_is_one_argument_with_a_tag_that_says_a_version() -> None:
    assert instructions()[0] == ("ARG", f"PYTHON_IMAGE={BASE}")
    bases = {a.split()[0] for i, a in instructions() if i == "FROM"}
    assert bases <= {"${PYTHON_IMAGE}", *stages()}
    for file in (DOCKERFILE, ROOT / "docker" / "compose.yaml"):
        assert ":latest" not in file.read_text("utf-8")


def test_what_is_copied_and_installed_is_there() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    for instruction, arguments in instructions():
        if instruction == "COPY" and "--from=" not in arguments:
            for source in arguments.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = re.findall(r"EXTRAS=(\S+)", DOCKERFILE.read_text("utf-8"))
    assert len(extras) == 2
    assert {e for one in extras for e in one.split(",")} <= set(known["optional-dependencies"])
    assert all(mount.count("type=cache") for i, mount in instructions() if i == "RUN" and "pip install" in mount)


def test_the_compose_file_names_what_exists() -> None:
    data: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text("utf-8"))
    assert BASE in json.dumps(data)
    for name, service in data["services"].items():
        assert (ROOT / "docker" / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).exists()
        assert service["build"]["target"] == "${IMAGE_TARGET:-runner}"
        assert "runner" in stages()
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["cpuset"].startswith("${CPUSET:?")
        assert "cpus" not in service, "a quota stops a measurement in its middle"
        assert service["command"][0] in COMMANDS, name
        for volume in service["volumes"]:
            assert volume.split(":")[0] in data["volumes"]
            assert volume.split(":")[1] in ("/cache", "/results")
    assert data["services"]["device"]["command"][:2] == ["targets", "serve"]


def healthcheck() -> str:
    (check,) = (a.partition(" CMD ")[2] for i, a in instructions() if i == "HEALTHCHECK")
    return check.strip()


@pytest.mark.parametrize(
    ("doctor", "healthy"),
    [
        ('echo "[{\\"check\\": \\"cores\\", \\"state\\": \\"bad\\"}]"; exit 1', True),
        ("echo 'error: internal error' >&2; exit 1", False),
        ("exit 127", False),
    ],
)
def test_the_image_is_ill_when_the_doctor_says_nothing(doctor: str, healthy: bool, tmp_path: Path) -> None:
    (tmp_path / "bench").write_text(f"#!/bin/sh\n{doctor}\n")
    (tmp_path / "bench").chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    assert subprocess.run(["/bin/sh", "-c", healthcheck()], env={"PATH": path}).returncode == (not healthy)


def test_the_doctor_says_what_the_healthcheck_looks_for() -> None:
    assert '"check"' in healthcheck()
    assert all(symptom.check for symptom in examine())


@pytest.mark.slow
def test_an_image_is_built_and_measures(tmp_path: Path) -> None:
    """Under buildah, on a stand-in for the base: Debian with its own Python, under the base's name."""
    for tool in ("buildah", "debootstrap"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}: apt-get install buildah debootstrap")
    store = ["buildah", "--root", str(tmp_path / "s"), "--runroot", str(tmp_path / "r"), "--storage-driver", "vfs"]

    def buildah(*arguments: object) -> str:
        result = subprocess.run([*store, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout.strip()

    debian = tmp_path / "debian"
    packages = "--include=ca-certificates,python3,python3-venv"
    subprocess.run(["debootstrap", "--variant=minbase", packages, "bookworm", debian], check=True, capture_output=True)
    subprocess.run(
        ["tar", "-C", debian, "--exclude=./proc/*", "--exclude=./dev/*", "-cf", f"{debian}.tar", "."], check=True
    )
    base = buildah("from", "scratch")
    buildah("add", "-q", base, f"{debian}.tar", "/")
    buildah("commit", "-q", base, f"docker.io/library/{BASE}")
    mirror = ("--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", "--build-arg", "EXTRAS=fleet")
    secret = ("--secret", f"id=pip,src={settings(tmp_path)}")
    buildah("bud", "--isolation", "chroot", "--format", "docker", "--pull-never", *mirror, *secret,
            "-f", DOCKERFILE, "-t", "localhost/runner", ROOT)  # fmt: skip
    image = buildah("from", "--pull-never", "localhost/runner")
    run = ("run", "--isolation", "chroot", image, "--")
    assert buildah(*run, "id", "-u") == "10001"
    buildah(*run, "sh", "-c", healthcheck())
    model = tmp_path / "tiny.onnx"
    from onnx import save

    from tests.conftest import tiny_model

    save(tiny_model(), model)
    buildah("copy", image, model, "/tiny.onnx")
    told = buildah(*run, "bench", "run", "--model", "/tiny.onnx", "--budget", "3", "--format", "json")
    (row,) = json.loads(told)
    assert row["status"] in ("ok", "noisy")
    assert row["parity_rel_l2"] < 1e-4


def settings(folder: Path) -> Path:
    """Write down this machine's own settings of pip, so that a build behind a mirror finds its packages."""
    listed = subprocess.run(["pip", "config", "list"], capture_output=True, text=True).stdout
    rows = dict(re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    kept = [f"{key} = {rows[key]}" for key in ("index-url", "cert", "timeout") if key in rows]
    (folder / "pip.conf").write_text("\n".join(["[global]", *kept]) + "\n")
    return folder / "pip.conf"
