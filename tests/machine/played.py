"""Another operating system, played in every process that starts with `PYTHONPATH` at its folder.

What Linux has and that system has not is taken away before anything of ours is imported: functions of `os`, modules,
signals, `/proc` and `/sys`, and on Windows `select` on pipes. What runs is still this machine; nothing of that system's
own is proven, only that nothing of ours needs Linux, and that what is missing is said.
"""

from __future__ import annotations

from pathlib import Path

SITE = """
import atexit, builtins, io, os, select, signal, socket, subprocess, sys, threading
PLAYED = {system!r}
# Other people's modules that look at sys.platform when they are imported: this machine's stay.
import asyncio, numpy, psutil, click, click.termui, click.shell_completion, rich.console, rich.table, rich.progress
import platformdirs, msgspec, archspec.cpu, multiprocessing, concurrent.futures, tempfile, shutil, ctypes, onnx
import platform
import sysconfig
try:
    import scipy.special
except ImportError:
    pass
archspec.cpu.host(); sysconfig.get_config_vars()

def gone(path):
    if isinstance(path, (str, bytes, os.PathLike)):
        path = os.fsdecode(path)
        if path.startswith(("/proc", "/sys/")):
            frame = sys._getframe(1)
            while frame is not None:
                if frame.f_globals.get("__name__", "").startswith("psutil"):
                    return False
                frame = frame.f_back
            return True
    return False

def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and gone(arguments[0]):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])

sys.addaudithook(hook)
for name in ("stat", "lstat", "readlink", "access"):
    def without(path, *rest, real=getattr(os, name), name=name, **more):
        if gone(path):
            if name == "access":
                return False
            raise FileNotFoundError(2, "No such file or directory", path)
        return real(path, *rest, **more)
    setattr(os, name, without)

LACKING = {{
    "darwin": ["sched_setaffinity", "sched_getaffinity", "pidfd_open", "sched_getscheduler"],
    "win32": ["sched_setaffinity", "sched_getaffinity", "pidfd_open", "fork", "forkpty", "killpg", "setsid", "sysconf",
              "getuid", "geteuid", "getpgid", "setpgid", "pread", "pwrite", "fchmod", "waitid", "wait3", "wait4",
              "uname", "getloadavg"],
}}[PLAYED]
real_kill = os.kill
for name in LACKING:
    if hasattr(os, name):
        delattr(os, name)
if PLAYED == "darwin":
    del psutil.Process.cpu_affinity
if PLAYED == "win32":
    for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGPIPE"):
        delattr(signal, name)
    subprocess.Popen.kill = lambda self: None if self.returncode is not None else real_kill(self.pid, 9)
    for name in ("fcntl", "resource", "termios", "pwd", "grp"):
        sys.modules[name] = None
    real_select = select.select
    def sockets_only(reading, writing, failing, *timeout):
        for one in (*reading, *writing, *failing):
            if not isinstance(one, socket.socket):
                raise OSError(10038, "An operation was attempted on something that is not a socket")
        return real_select(reading, writing, failing, *timeout)
    select.select = sockets_only
    del socket.AF_UNIX

    class Msvcrt:
        LK_LOCK, LK_NBLCK, LK_UNLCK = 1, 2, 0
        LOG = {log!r}
        def locking(self, number, how, size):
            import _posixsubprocess
            with open(self.LOG, "a") as log:
                log.write("%d %d\\n" % (how, size))
    sys.modules["msvcrt"] = Msvcrt()

    class Registry:
        HKEY_LOCAL_MACHINE = 0
        VALUES = {{"ProcessorNameString": "Played CPU @ 3.00GHz   ", "MachineGuid": "0f0f-1"}}
        def OpenKey(self, root, path):
            import contextlib
            return contextlib.nullcontext(path)
        def QueryValueEx(self, key, name):
            return self.VALUES[name], 1
    sys.modules["winreg"] = Registry()
    platform.processor = lambda: "Intel64 Family 6 Model 186 Stepping 3, GenuineIntel"
    platform.release, platform.version = lambda: "11", lambda: "10.0.22631"
sys.platform = PLAYED
"""
# What the programs of macOS that are asked say.
PROGRAMS = {
    "sw_vers": 'echo "14.5"',
    "sysctl": (
        'case "$2" in machdep.cpu.brand_string) echo "Apple M2";; hw.cpufamily) echo "-634136515";; '
        "kern.hv_vmm_present|sysctl.proc_translated) echo 0;; *) exit 1;; esac"
    ),
    "ioreg": 'echo \'    "IOPlatformUUID" = "0F0F-2"\'',
}


def environment(folder: Path, system: str, path: str) -> dict[str, str]:
    """Write what plays a system into `folder`, and return the environment that starts with it; `path` is PATH."""
    site, programs = folder / "site", folder / "bin"
    for made in (site, programs):
        made.mkdir(parents=True, exist_ok=True)
    (site / "sitecustomize.py").write_text(SITE.format(system=system, log=str(folder / "locks")))
    for name, body in PROGRAMS.items() if system == "darwin" else ():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    return {"PYTHONPATH": str(site), "PATH": f"{programs}:{path}"}
