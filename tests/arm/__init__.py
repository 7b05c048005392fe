"""ARM for real: `bench` in an aarch64 userland under qemu-user. ``make test-arm`` runs these."""
