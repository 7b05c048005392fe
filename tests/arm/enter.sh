#!/bin/sh
# enter.sh ROOT MACHINE FOLDER COMMAND...: run COMMAND in the aarch64 userland ROOT, with FOLDER as its /work.
#
# Needs no root and changes nothing outside: user namespace, mounts and the registration of the emulator (binfmt_misc,
# private to a user namespace since Linux 6.7) end with the command. MACHINE/cpuinfo and MACHINE/midr stand for the
# emulated core: without them the guest would read the host's x86 /proc/cpuinfo, on which ONNX Runtime crashes.
set -eu
exec unshare --user --map-root-user --mount --propagation private -- /bin/sh -euc '
root=$1 machine=$2 work=$3; shift 3
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
conf=/usr/lib/binfmt.d/qemu-aarch64.conf
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || cat "$conf" > /proc/sys/fs/binfmt_misc/register
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/work"
mount --bind "$work" "$root/work"
mount --bind "$machine/cpuinfo" "$root/proc/cpuinfo"
mount -t overlay overlay -o "lowerdir=$machine/cpus:/sys/devices/system/cpu" "$root/sys/devices/system/cpu"
exec chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 \
  PYTHONPATH=/work:/opt/site PYTHONDONTWRITEBYTECODE=1 QEMU_CPU=neoverse-n1 ISOFLOPS_CACHE=/tmp/cache \
  /bin/sh -c "cd /work && exec \"\$@\"" sh "$@"
' sh "$@"
