"""What the tests of the command line share with those of faults."""

from tests.faults.conftest import streamer

__all__ = ["streamer"]
