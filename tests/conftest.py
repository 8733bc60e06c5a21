"""What every test may use: real photos where there are any, made ones, a cache of its own."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.pictures import make_pictures
from tests.privileges import overrides_laid_down

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"

# No deadline: the first call of a torch function can take a second. In CI the examples are fixed,
# so that a red run can be repeated.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Send everything shortcut would cache to a folder of this test run, never to the home."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHORTCUT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Keep torch to one thread, here and in what tests start: tiny tensors gain nothing from more,
    and where something else runs threads that wait for each other lose minutes."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch = sys.modules.get("torch")  # only if a test file has imported it: many need no torch
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def heard_interrupts() -> None:
    """Let child processes hear Ctrl-C and the end of a terminal: what a script starts in the
    background, or nohup, ignores them, and so would everything below."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos beside the checkout, or `SHORTCUT_TEST_DATA`; skips without it. One
    that is there has all the sets: a test that lacks its own fails."""
    folder = Path(os.environ.get("SHORTCUT_TEST_DATA") or BESIDE)
    if not folder.is_dir():
        pytest.skip("no real photos here: set SHORTCUT_TEST_DATA to a folder that has them")
    return folder


@pytest.fixture(scope="session", autouse=True)
def untouched_photos() -> Iterator[None]:
    """No test, and nothing that a test starts, changes the photos beside the checkout."""
    before = _listing()
    yield
    assert _listing() == before, "the data folder was changed"


def _listing() -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file; to read a gigabyte would take too long."""
    if not BESIDE.is_dir():
        return []
    facts = ((path, path.lstat()) for path in sorted(BESIDE.rglob("*")))
    return [(str(path), at.st_size, at.st_mtime_ns) for path, at in facts]


@pytest.fixture
def permissions_bind() -> Iterator[None]:
    """What a file's permissions forbid is forbidden in this test, to root as well."""
    if os.name == "nt":
        pytest.skip("Windows has other permissions")
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("only Linux lets root lay down its rights")
    with overrides_laid_down():
        yield


@pytest.fixture
def tiny_photos(tmp_path: Path) -> Path:
    """A data set to learn in seconds: blue/ and red/, 12 noisy PNGs each, 32 wide and 24 high."""
    return make_pictures(tmp_path / "photos")
