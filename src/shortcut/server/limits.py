"""How much and how long the server bears; every figure in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bytes, pictures and seconds. Beyond each there is an answer that says so."""

    body: int = 32 << 20
    """Bytes of a request; beyond: 413."""
    memory: int = 256 << 20
    """Bytes of all bodies that are held at the same time; beyond: 429."""
    pictures: int = 32
    """In one request; beyond: 413."""
    queue: int = 64
    """Pictures that wait or are being answered; beyond: 429. As many as are answered in about a
    second on a small machine: a longer queue makes everybody late and nobody faster."""
    batch: int = 16
    """Pictures that go through the network together."""
    company: float = 0.002
    """How long the first of a batch waits for others."""
    timeout: float = 10.0
    """From a whole request to its answer; beyond: 504."""
    reading: float = 10.0
    """For headers, and again for a body, to arrive; beyond: 408, or the end of the connection."""
    draining: float = 1.0
    """After SIGTERM: so long new requests are still taken, while `/readyz` already says no."""
    hanging: float = 30.0
    """A worker that does not answer for so long is killed."""
    loading: float = 600.0
    """A worker that has not loaded the model by then is killed."""
    deaths: int = 5
    """Of workers, within `ROLLING` seconds; beyond, the server gives up."""


ROLLING = 60.0
