from tests.export.own import net

__all__ = ["net"]
