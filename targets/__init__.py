"""One TOML per kind of device; `bench.target` reads them."""
