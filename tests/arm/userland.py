"""An aarch64 Debian with the runtimes' aarch64 wheels, for qemu-user: built on demand, kept in the user's cache.

    python -m tests.arm.userland

builds it, if it is not there, which takes a minute or two and half a gigabyte. Nothing is emulated while it is built
(packages and wheels are only unpacked), and neither building nor entering it needs root.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.base import cache

PROJECT = Path(__file__).parents[2]
ENTER = Path(__file__).with_name("enter.sh")
# Read when this is imported: the tests have a cache of their own, and must not build a userland in each session.
CACHE = cache.root() / "arm"

RELEASE, PYTHON, GLIBC = "bookworm", "3.11", 36
PACKAGES = "python3"
# Beside everything, what `pip install` of the wheel alone brings: a device that only measures has no more.
SITE, LEAN = "opt/site", "opt/lean"
FOR_TESTS = ("pytest>=8", "hypothesis>=6", "pyyaml")
TOOLS = {
    "qemu-aarch64-static": "qemu-user-static",
    "debootstrap": "debootstrap",
    "dpkg-deb": "dpkg",
    "unshare": "util-linux",
}
BINFMT = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")

# A Neoverse N1 as Linux shows it; enter.sh has the emulator emulate the same core, and a runtime that finds the two
# at odds may choose instructions that are not there.
MIDR = "0x00000000413fd0c1"
CPUINFO = """processor\t: {n}
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""


@dataclass(frozen=True)
class Userland:
    """A folder with the aarch64 `root` and the description of the emulated `machine`."""

    folder: Path

    def run(self, work: Path, *command: object, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command inside, in ``/work``, which is the folder `work` of this side."""
        inside = [ENTER, self.folder / "root", self.folder / "machine", work, *command]
        return subprocess.run(
            [str(part) for part in inside], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )


def missing() -> str:
    """Say what this machine lacks for it; nothing if it lacks nothing."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return f"an emulated userland is for x86-64 Linux; this is {platform.machine()}, where the suite runs as it is"
    packages = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if packages or not BINFMT.exists():
        return f"apt-get install {' '.join(packages or ['qemu-user-static'])}"
    binfmt = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc"
    tried = subprocess.run(["unshare", "-rm", "sh", "-c", binfmt], capture_output=True, text=True)
    if tried.returncode:
        return f"no binfmt_misc in a user namespace (Linux 6.7 or newer has it): {tried.stderr.strip()}"
    return ""


def requirements() -> dict[str, list[str]]:
    """Return what is installed there by folder: the program's core, the runtimes and what the tests stand on; the core.

    Neither PyTorch nor a converter is among it: converted networks are carried there.
    """
    project = tomllib.loads(PROJECT.joinpath("pyproject.toml").read_text())["project"]
    core = project["dependencies"]
    runtimes = [package for extra in ("openvino", "deploy") for package in project["optional-dependencies"][extra]]
    return {SITE: [*core, *runtimes, *FOR_TESTS], LEAN: core}


def build() -> Userland:
    """Return the userland of this recipe, built if it is not in the cache; a build that fails leaves nothing."""
    recipe = json.dumps([RELEASE, PYTHON, GLIBC, PACKAGES, MIDR, CPUINFO, requirements()])
    final = CACHE / hashlib.sha256(recipe.encode()).hexdigest()[:12]
    CACHE.mkdir(parents=True, exist_ok=True)
    with cache.locked(CACHE / "lock"):
        if not final.exists():
            print(f"building an aarch64 userland in {final}", file=sys.stderr)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=CACHE))
            try:
                _unpack_debian(draft / "root")
                for folder, packages in requirements().items():
                    _unpack_wheels(draft / "root" / folder, packages)
                _describe_machine(draft / "machine")
                draft.chmod(0o755)
                draft.rename(final)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return Userland(final)


def stage(work: Path) -> None:
    """Install this project into the folder `work` the way pip would, and lay its tests beside it."""
    with tempfile.TemporaryDirectory() as source:
        for name in ("bench", "models", "targets"):
            shutil.copytree(PROJECT / name, Path(source, name), ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(PROJECT / name, source)
        _pip("--no-deps", "--target", str(work), source)
    shutil.copytree(PROJECT / "tests", work / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", work)


def _unpack_debian(root: Path) -> None:
    # As a user namespace's root, and no further than downloading: the second stage would run for minutes in the
    # emulator, and unpacked is all that Python needs.
    fetch = ["unshare", "-r", "debootstrap", "--download-only", "--arch=arm64", "--variant=minbase"]
    _check([*fetch, f"--include={PACKAGES}", RELEASE, str(root)])
    packages = sorted(root.glob("var/cache/apt/archives/*.deb"))
    for package in packages:
        unpack = 'dpkg-deb --fsys-tarfile "$1" | tar -x --no-same-owner --keep-directory-symlink -C "$2" -f -'
        _check(["bash", "-o", "pipefail", "-c", unpack, "bash", str(package), str(root)])
        package.unlink()


def _unpack_wheels(site: Path, packages: list[str]) -> None:
    # pip takes a platform by its word: a wheel for an older C library is found only if that is named, too.
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(GLIBC, 16, -1)]
    only = ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    _pip("--target", str(site), *platforms, "--platform=manylinux2014_aarch64", *only, *packages)


def _describe_machine(folder: Path) -> None:
    cpus = range(os.cpu_count() or 1)
    for n in cpus:
        identification = folder / f"cpus/cpu{n}/regs/identification"
        identification.mkdir(parents=True)
        identification.joinpath("midr_el1").write_text(MIDR + "\n")
    folder.joinpath("cpuinfo").write_text("".join(CPUINFO.format(n=n) for n in cpus))


def _pip(*arguments: str) -> None:
    _check([sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments])


def _check(command: list[str]) -> None:
    """Run a step of the build; what it said is shown only if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    lacking = missing()
    if lacking:
        raise SystemExit(f"error: {lacking}")
    print(build().folder)
