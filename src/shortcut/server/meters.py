"""What Prometheus is told."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Meters:
    """Counters of one server; a registry of its own, so that several may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "shortcut_requests",
            "Requests that were answered.",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "shortcut_request_seconds",
            "From a request's headers to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batches = Histogram(
            "shortcut_batch_pictures",
            "Pictures that went through the network together.",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )
        self._counted: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._waiting = Gauge(
            "shortcut_waiting_pictures", "Pictures in the queue.", registry=self.registry
        )
        self._ready = Gauge(
            "shortcut_ready", "1 where requests are answered.", registry=self.registry
        )
        self._lost = Gauge("shortcut_workers_lost", "Workers that died.", registry=self.registry)

    def observe(
        self, waiting: Callable[[], float], ready: Callable[[], float], lost: Callable[[], float]
    ) -> None:
        """From where the gauges are read when somebody asks."""
        self._waiting.set_function(waiting)
        self._ready.set_function(ready)
        self._lost.set_function(lost)

    def count(self, route: str, status: int, seconds: float) -> None:
        """A request that was answered."""
        # Kept: to find those of these labels takes longer than all the rest.
        if (route, status) not in self._counted:
            requests = self.requests.labels(route, str(status))
            self._counted[route, status] = requests, self.seconds.labels(route)
        requests, took = self._counted[route, status]
        requests.inc()
        took.observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' own form."""
        return generate_latest(self.registry)
