"""How long the rest of a training takes, told by what it took so far."""

from collections.abc import Callable, Iterator

from shortcut.job import Job

MEASURED = 1 / 3
"""Of the time to train on a picture, to measure one: forward without backward."""

Point = tuple[int, float]
"""An image size in pixels, and seconds for a training picture of it."""
Line = Callable[[int], float]


def seconds_left(job: Job, done: float = 0.0) -> float:
    """Seconds from now to the end of the last epoch.

    Args:
        done: share of the epoch under way that is trained.
    """
    epoch, sizes, trained = len(job.history), job.train.sizes, list(_trained(job))
    if epoch == len(sizes) or not trained:  # no step yet had finite numbers
        return 0.0
    now = trained[-1]
    others = [*reversed(trained), *_tested(job, now)]
    # The farthest tells most of what a pixel costs; of equals the newest.
    price = _line(now, max(others, key=lambda one: abs(one[0] - now[0])))
    training = sum(map(price, sizes[epoch:])) - done * price(sizes[epoch])
    measuring = MEASURED * price(job.recipe.data.image_size) * len(job.val.labels)
    if job.history and job.history[-1].images_per_second:
        last = job.history[-1]
        measuring = max(0.0, last.seconds - len(job.train.labels) / last.images_per_second)
    return training * len(job.train.labels) + measuring * (len(sizes) - epoch)


def _trained(job: Job) -> Iterator[Point]:
    """What epochs took, the newest last."""
    for epoch in job.history:
        if epoch.images_per_second:
            yield epoch.image_size, 1 / epoch.images_per_second
    if job.tally.images:
        yield job.train.sizes[len(job.history)], 1 / job.tally.speed


def _tested(job: Job, now: Point) -> list[Point]:
    """What was measured before the first step; where that was two sizes, as if on a machine as fast
    as it is now."""
    points = [(size, 1 / speed) for size, speed in job.tested.items()]
    if len(points) < 2:
        return points
    size, seconds = now
    factor = seconds / _line(points[0], points[-1])(size)
    return [(side, factor * took) for side, took in points]


def _line(near: Point, far: Point) -> Line:
    """Seconds for a picture by its size: fixed ones and some for each pixel. All by the pixels,
    where `far` is of the same size."""
    size, seconds = near
    other, took = far
    slope = steepest = seconds / size**2
    if other != size:
        slope = min(max(0.0, (took - seconds) / (other**2 - size**2)), steepest)
    return lambda side: seconds + slope * (side**2 - size**2)
