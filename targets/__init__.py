"""One TOML per kind of device; `bench.plan.target` reads them."""
