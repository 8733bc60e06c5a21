"""How long the rest of a training takes, told by what it took so far."""

from collections.abc import Callable, Iterator, Sequence

from shortcut.job import Job

MEASURED = 1 / 3
"""Of the time to train on a picture, to measure one: forward without backward."""


def seconds_left(job: Job, done: float = 0.0) -> float:
    """Seconds from now to the end of the last epoch.

    Args:
        done: share of the epoch under way that is trained.
    """
    epoch, sizes, known = len(job.history), job.train.sizes, list(_known(job))
    if epoch == len(sizes) or not known:  # no step yet had finite numbers
        return 0.0
    price = _price(known)
    training = sum(map(price, sizes[epoch:])) - done * price(sizes[epoch])
    measuring = MEASURED * price(job.recipe.data.image_size) * len(job.val.labels)
    if job.history and job.history[-1].images_per_second:
        last = job.history[-1]
        trained = len(job.train.labels) / last.images_per_second
        measuring = max(0.0, last.seconds - trained)
    return training * len(job.train.labels) + measuring * (len(sizes) - epoch)


def _known(job: Job) -> Iterator[tuple[int, float]]:
    """Image sizes and seconds for a training picture of them, the newest last."""
    for size, speed in job.tested.items():
        yield size, 1 / speed
    for epoch in job.history:
        if epoch.images_per_second:
            yield epoch.image_size, 1 / epoch.images_per_second
    if job.tally.images:
        yield job.train.sizes[len(job.history)], 1 / job.tally.speed


def _price(known: Sequence[tuple[int, float]]) -> Callable[[int], float]:
    """Seconds for a picture by its size: what is newest, and from there a line to the size that is
    farthest from it. Through nought, so by the pixels, where no other is known."""
    size, seconds = known[-1]
    far, other = max(reversed(known), key=lambda one: abs(one[0] - size))
    slope = steepest = seconds / size**2
    if far != size:
        slope = min(max(0.0, (other - seconds) / (far**2 - size**2)), steepest)
    return lambda side: seconds + slope * (side**2 - size**2)
