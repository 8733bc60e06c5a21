"""`published.py`: downloads from a real server on this machine, checked and kept once."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from tests.models.files import Armed, message, names, pickled, small_files, small_state
from torchvision import models as reference

from shortcut.errors import ModelError, ResourceError
from shortcut.models import VARIANTS, create_model, published
from shortcut.models.tensorfiles import read_tensors, write_tensors
from shortcut.models.weights import load_matching

PUBLISHED = [name for name in VARIANTS if name in reference.list_models(module=reference)]


def fetch_imagenet(
    name: str,
    cache: Path,
    *,
    url: str | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """The generator run to its end."""
    download = published.fetch_imagenet(name, cache, url=url)
    while True:
        try:
            report(*next(download))
        except StopIteration as end:
            return end.value


@dataclass
class Answer:
    body: bytes
    status: int = 200
    length: int | None = -1
    """What Content-Length says: -1 the truth, None nothing."""
    stalls: bool = False


@dataclass
class Server:
    address: str
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    requests: list[str] = field(default_factory=list[str])
    stop: Callable[[], None] = lambda: None
    over: threading.Event = field(default_factory=threading.Event)

    def offer(self, content: bytes, name: str = "net-{hash}.pth", length: int | None = -1) -> str:
        """Serve `content`; its address, with the true hash where `name` says so."""
        path = "/" + name.format(hash=hashlib.sha256(content).hexdigest()[:8])
        self.answers[path] = Answer(content, length=length)
        return self.address + path


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.requests.append(self.path)
            answer = here.answers.get(self.path, Answer(b"no such file", status=404))
            self.send_response(answer.status)
            if answer.length is not None:
                length = len(answer.body) if answer.length < 0 else answer.length
                self.send_header("Content-Length", str(length))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # a client may have had enough
                self.wfile.write(answer.body)
            if answer.stalls:
                here.over.wait(20)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Server(f"http://127.0.0.1:{listening.server_port}")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def stop() -> None:
        here.over.set()
        listening.shutdown()
        listening.server_close()
        thread.join()

    here.stop = stop
    yield here
    if thread.is_alive():
        stop()


@pytest.mark.parametrize("zipped", [True, False])
def test_published_weights_are_fetched_once(server: Server, tmp_path: Path, zipped: bool) -> None:
    """Both of torch's formats: some published files are older than the newer one."""
    state = small_state()
    content = pickled(state, zipped)
    url = server.offer(content)
    target = fetch_imagenet("resnet18", tmp_path, url=url)
    assert target == tmp_path / "weights" / "resnet18-imagenet.safetensors"
    assert names(tmp_path) == ["weights", "weights/resnet18-imagenet.safetensors"]
    tensors, metadata = read_tensors(target)
    assert all(torch.equal(tensors[name], state[name]) for name in state)
    assert metadata == {
        "source": url,
        "sha256": hashlib.sha256(content).hexdigest(),
        "weights": url.rsplit("/", 1)[1],
    }
    server.stop()
    assert fetch_imagenet("resnet18", tmp_path, url=url) == target
    assert fetch_imagenet("resnet18", tmp_path) == target
    assert len(server.requests) == 1


def test_a_fetched_resnet18_is_torchvisions(server: Server, tmp_path: Path) -> None:
    """The whole way: their network, their file format, our download, our network, equal logits."""
    torch.manual_seed(3)
    theirs = reference.resnet18().eval()
    done: list[tuple[int, int]] = []
    url = server.offer(content := pickled(theirs.state_dict()))
    path = fetch_imagenet("resnet18", tmp_path, url=url, report=lambda *counts: done.append(counts))
    ours = create_model("resnet18").eval()
    assert load_matching(ours, read_tensors(path)[0], new_head=False) == []
    with torch.no_grad():
        x = torch.randn(1, 3, 64, 64)
        assert torch.equal(ours(x), theirs(x))
    assert len(done) > 40
    assert done == sorted(set(done))
    assert done[-1] == (len(content), len(content))


@pytest.mark.parametrize("name", PUBLISHED)
def test_without_an_address_torchvisions_newest_is_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(url: str, timeout: float) -> None:
        asked.append(url)
        assert timeout == 30
        raise URLError(OSError(-3, "Temporary failure in name resolution"))

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    target = tmp_path / "weights" / f"{name}-imagenet.safetensors"
    said = message(ResourceError, lambda: fetch_imagenet(name, tmp_path))
    assert asked == [reference.get_model_weights(name)["DEFAULT"].url]
    assert said == (
        f"cannot fetch {asked[0]}: Temporary failure in name resolution after 0 bytes. Try again, "
        f"or put the weights by hand, as safetensors, at `{target}`."
    )
    assert names(tmp_path) == ["weights"]


def test_a_mirror_of_the_published_file_keeps_its_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.offer(pickled(small_state()))
    newest = reference.ResNet50_Weights.IMAGENET1K_V2
    elsewhere = "https://example.org/" + url.rsplit("/", 1)[1]
    monkeypatch.setattr(type(newest), "url", property(lambda _: elsewhere), raising=False)
    metadata = read_tensors(fetch_imagenet("resnet50", tmp_path, url=url))[1]
    assert metadata["weights"] == "ResNet50_Weights.IMAGENET1K_V2"
    assert metadata["source"] == url


def test_a_file_put_by_hand_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "weights" / "resnet34-imagenet.safetensors"
    write_tensors(path, small_state(), {})
    assert fetch_imagenet("resnet34", tmp_path, url="http://127.0.0.1:1/net-00000000.pth") == path


def test_a_wrong_hash_keeps_nothing(server: Server, tmp_path: Path) -> None:
    content = pickled(small_state())
    true = hashlib.sha256(content).hexdigest()[:8]
    url = server.offer(content, "resnet18-f37072fd.pth")
    assert message(ModelError, lambda: fetch_imagenet("resnet18", tmp_path, url=url)) == (
        f"{url} came with SHA-256 {true}..., not f37072fd...: it is not the file it says. "
        "Nothing is kept; try another network."
    )
    assert names(tmp_path) == ["weights"]


def test_an_answer_that_ends_early_keeps_nothing(server: Server, tmp_path: Path) -> None:
    content = pickled(small_state())
    url = server.offer(content, length=len(content) + 1_000)
    said = message(ResourceError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert f"{url}: the answer ended 1,000 bytes early after {len(content):,} bytes." in said
    assert names(tmp_path) == ["weights"]


def test_a_server_that_does_not_say_how_much(server: Server, tmp_path: Path) -> None:
    url = server.offer(content := pickled(small_state()), length=None)
    download = published.fetch_imagenet("resnet18", tmp_path, url=url)
    assert next(download) == (len(content), 0)
    download.close()
    assert names(tmp_path) == ["weights"]


@pytest.mark.parametrize(("status", "words"), [(404, "Not Found"), (503, "Service Unavailable")])
def test_a_server_that_refuses(server: Server, tmp_path: Path, status: int, words: str) -> None:
    server.answers["/net-00000000.pth"] = Answer(b"<html>", status=status)
    url = server.address + "/net-00000000.pth"
    said = message(ResourceError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said.startswith(f"cannot fetch {url}: HTTP Error {status}: {words} after 0 bytes.")


def test_no_server(server: Server, tmp_path: Path) -> None:
    server.stop()
    url = server.address + "/net-00000000.pth"
    said = message(ResourceError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said.startswith(f"cannot fetch {url}: Connection refused after 0 bytes.")


def test_a_server_that_falls_silent(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "TIMEOUT", 0.2)
    server.answers["/net-00000000.pth"] = Answer(b"begin", length=99, stalls=True)
    url = server.address + "/net-00000000.pth"
    said = message(ResourceError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said.startswith(f"cannot fetch {url}: timed out")
    assert names(tmp_path) == ["weights"]


@pytest.mark.parametrize("length", [-1, None])
def test_more_than_any_weights_have(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int | None
) -> None:
    monkeypatch.setattr(published, "LARGEST_DOWNLOAD", 500)
    url = server.offer(b"0" * 501, length=length)
    said = message(ModelError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said == f"{url} has over 500 bytes: refused."
    assert names(tmp_path) == ["weights"]


def test_a_published_file_is_read_in_a_process_of_its_own(server: Server, tmp_path: Path) -> None:
    """What else such files may hold: test_pickles.py."""
    trap = tmp_path / "sprung"
    url = server.offer(pickled({**small_state(), "fc.weight": Armed(trap)}))
    assert message(ModelError, lambda: fetch_imagenet("resnet18", tmp_path, url=url)) == (
        f"`{url}` is refused: it asks for `posix.mkdir`, which is more than tensors. "
        "Nothing in it was run. Nothing is kept."
    )
    assert names(tmp_path) == ["weights"]


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in PUBLISHED])
def test_rows_without_published_weights_name_those_that_have(name: str, tmp_path: Path) -> None:
    said = message(ModelError, lambda: fetch_imagenet(name, tmp_path))
    assert said == (
        f"`{name}` has no published ImageNet weights. These have: {', '.join(PUBLISHED)}."
    )
    assert len(PUBLISHED) == 10
    assert names(tmp_path) == []


def test_unknown_names_and_addresses_that_cannot_be_checked(tmp_path: Path) -> None:
    said = message(ModelError, lambda: fetch_imagenet("resnet19", tmp_path))
    assert said.startswith("unknown model `resnet19`. Did you mean `resnet")
    for url, reason in [
        ("file:///tmp/resnet18-f37072fd.pth", "is no http or https address."),
        ("http://127.0.0.1/resnet18.pth", "cannot be checked: its file name does not end like"),
        ("http://127.0.0.1/resnet18-xyz.pth", "cannot be checked: its file name does not end like"),
    ]:
        said = message(ModelError, lambda url=url: fetch_imagenet("resnet18", tmp_path, url=url))
        assert said.startswith(f"`{url}` {reason}")
    assert names(tmp_path) == []


def test_a_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file in the way")
    url = server.offer(pickled(small_state()))
    said = message(ResourceError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said.startswith(
        f"cannot write in `{tmp_path / 'weights'}`: `{tmp_path / 'weights'}` is a file"
    )
    assert server.requests == []


def test_a_disk_that_fills_during_the_download(server: Server, tmp_path: Path) -> None:
    url = server.offer(pickled({"a": torch.zeros(200_000)}))
    with small_files(100_000):
        said = message(ResourceError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said == (
        f"cannot write in `{tmp_path / 'weights'}`: File too large. "
        "Free space or choose another cache folder."
    )
    assert names(tmp_path) == ["weights"]
