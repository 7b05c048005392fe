from tests.backends.plugins import plugins

__all__ = ["plugins"]
