"""`weights.py`: files that are whole or absent, downloads that are checked, weights that fit."""

import contextlib
import errno
import hashlib
import io
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models as reference

from shortcut.errors import ModelError, ResourceError
from shortcut.models import VARIANTS, create_model, weights
from shortcut.models.weights import load_matching, read_tensors, write_tensors

PUBLISHED = [name for name in VARIANTS if name in reference.list_models(module=reference)]
DTYPES = [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]


def message(error: type[Exception], call: Callable[[], object]) -> str:
    """What `call` raises, which must be one line that ends as a sentence does."""
    with pytest.raises(error) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith((".", "?"))
    return said


def fetch_imagenet(
    name: str,
    cache: Path,
    *,
    url: str | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """The generator run to its end."""
    download = weights.fetch_imagenet(name, cache, url=url)
    while True:
        try:
            report(*next(download))
        except StopIteration as end:
            return end.value


def small_state() -> dict[str, Tensor]:
    return {"conv1.weight": torch.randn(4, 3, 3, 3), "bn1.num_batches_tracked": torch.tensor(7)}


def names(folder: Path) -> list[str]:
    """Everything under `folder`, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Writing and reading.


@st.composite
def states(draw: st.DrawFn) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name in draw(st.sets(st.text(max_size=8), max_size=4)):
        shape = draw(st.lists(st.integers(0, 3), max_size=4))
        dtype = draw(st.sampled_from(DTYPES))
        state[name] = torch.randint(0, 9, shape).to(dtype)
    return state


@settings(max_examples=40)
@given(states(), st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, Tensor], metadata: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("round") / "a.safetensors"
    state.pop("__metadata__", None)
    write_tensors(path, state, metadata)
    tensors, found = read_tensors(path)
    assert found == metadata
    assert set(tensors) == set(state)
    for name, tensor in state.items():
        assert tensors[name].dtype is tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_any_layout_is_written_in_the_default_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "a.safetensors"
    whole = torch.randn(4, 6)
    state = {
        "channels_last": torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last),
        "one by one": torch.randn(8, 4, 1, 1).to(memory_format=torch.channels_last),
        "whole": whole,
        "again": whole,
        "transposed": whole.T,
        "part": whole[1:3],
        "expanded": torch.ones(1, 1).expand(3, 5),
        "parameter": nn.Parameter(torch.randn(3)),
    }
    write_tensors(path, state, {})
    tensors, metadata = read_tensors(path)
    assert metadata == {}
    for name, tensor in state.items():
        assert torch.equal(tensors[name], tensor), name
        assert tensors[name].stride() == torch.empty(tensor.shape).stride(), name
        assert not tensors[name].requires_grad
    assert set(load_file(path)) == set(state)  # the format, not only our own reading of it


def test_a_channels_last_model_gives_the_same_file(tmp_path: Path) -> None:
    model = create_model("resnet20", num_classes=2)
    write_tensors(tmp_path / "a", model.state_dict(), {"x": "y"})
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    write_tensors(tmp_path / "b", model.state_dict(), {"x": "y"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tensors_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.arange(100_000)}, {})
    tensors, _ = read_tensors(path)
    path.write_bytes(b"")  # a view of the file would now be a crash of the process
    assert torch.equal(tensors["a"], torch.arange(100_000))


def test_others_may_read_the_file_as_the_user_has_set(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {})
    (tmp_path / "usual").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


@contextlib.contextmanager
def small_files(limit: int) -> Iterator[None]:
    """The system itself refuses to write past `limit` bytes of a file, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {"which": "old"})
    before = path.read_bytes()
    big = {"a": torch.zeros(1_000_000)}
    with small_files(100_000):
        said = message(ResourceError, lambda: write_tensors(path, big, {}))
    assert said == f"cannot write `{path}`: File too large. Free space or choose another place."
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("fsync", OSError(errno.ENOSPC, "No space left on device")),
        ("rename", OSError(errno.EROFS, "Read-only file system")),
        ("fsync", KeyboardInterrupt()),
    ],
)
def test_a_write_that_fails_late_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {"which": "old"})

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail) if step == "fsync" else patch.setattr(
            Path, "replace", fail
        )
        with pytest.raises(ResourceError if isinstance(error, OSError) else KeyboardInterrupt):
            write_tensors(path, small_state(), {"which": "new"})
    assert read_tensors(path)[1] == {"which": "old"}
    assert names(tmp_path) == ["a.safetensors"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, reason in [
        (tmp_path / "file" / "a.safetensors", f"`{tmp_path / 'file'}` is a file, not a folder"),
        (tmp_path, "Is a directory"),
    ]:
        said = message(ResourceError, lambda path=path: write_tensors(path, small_state(), {}))
        assert said == f"cannot write `{path}`: {reason}. Free space or choose another place."
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    said = message(ResourceError, lambda: write_tensors(tmp_path / "a", small_state(), {}))
    tmp_path.chmod(0o700)
    assert "Permission denied" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "header too small"),
        (b"this is a letter, not a model\n" * 9, "header too large"),
        ("half", "not fully covered"),
        ("pickle", "header"),
    ],
)
def test_files_that_are_no_safetensors(tmp_path: Path, content: bytes | str, reason: str) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {})
    if content == "pickle":
        torch.save(small_state(), path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else path.read_bytes()[:-50])
    said = message(ModelError, lambda: read_tensors(path))
    assert said.startswith(f"`{path}` is not a whole safetensors file: ")
    assert reason in said
    assert said.endswith("Copy it again, or name another.")


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_header_is_an_error_or_other_numbers_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.safetensors"
    write_tensors(path, {"a": torch.zeros(5), "b": torch.zeros(2, 3)}, {"k": "v"})
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelError):
        read_tensors(path)


def test_paths_that_hold_no_weights(tmp_path: Path) -> None:
    missing = tmp_path / "none.safetensors"
    said = message(ModelError, lambda: read_tensors(missing))
    assert said == f"cannot read `{missing}`: No such file or directory. Check the path."
    said = message(ModelError, lambda: read_tensors(tmp_path))
    assert said == f"`{tmp_path}` is a folder. Name a .safetensors file in it."


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".PTH"])
def test_pickles_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    torch.save(small_state(), path)
    assert message(ModelError, lambda: read_tensors(path)) == (
        f"`{path}` is a pickle: pickles can run code and are not loaded. Name a .safetensors file."
    )


# Downloading, from a real server on this machine.


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


def pickled(content: object, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


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
    content = pickled(theirs.state_dict())
    path = fetch_imagenet(
        "resnet18",
        tmp_path,
        url=server.offer(content),
        report=lambda bytes_done, in_all: done.append((bytes_done, in_all)),
    )
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
    content = pickled(small_state())
    url = server.offer(content)
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
    content = pickled(small_state())
    done: list[tuple[int, int]] = []
    url = server.offer(content, length=None)
    fetch_imagenet("resnet18", tmp_path, url=url, report=lambda *pair: done.append(pair))
    assert done == [(len(content), 0)]


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
    monkeypatch.setattr(weights, "TIMEOUT", 0.2)
    server.answers["/net-00000000.pth"] = Answer(b"begin", length=99, stalls=True)
    url = server.address + "/net-00000000.pth"
    said = message(ResourceError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said.startswith(f"cannot fetch {url}: timed out")
    assert names(tmp_path) == ["weights"]


@pytest.mark.parametrize("length", [-1, None])
def test_more_than_any_weights_have(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int | None
) -> None:
    monkeypatch.setattr(weights, "LARGEST_DOWNLOAD", 500)
    url = server.offer(b"0" * 501, length=length)
    said = message(ModelError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said == f"{url} has over 500 bytes: refused."
    assert names(tmp_path) == ["weights"]


class Armed:
    """A pickle of this makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_published_file_is_not_run(server: Server, tmp_path: Path, zipped: bool) -> None:
    trap = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Armed(trap)))
    assert trap.is_dir()  # it is armed
    trap.rmdir()
    url = server.offer(pickled({**small_state(), "fc.weight": Armed(trap)}, zipped))
    assert message(ModelError, lambda: fetch_imagenet("resnet18", tmp_path, url=url)) == (
        f"{url} is not a plain state dict: nothing in it was run, nothing is kept."
    )
    assert names(tmp_path) == ["weights"]


@pytest.mark.parametrize(
    "content",
    [
        {},
        [torch.zeros(2)],
        {"state_dict": {"a": torch.zeros(2)}},
        {"a": torch.zeros(2), "epoch": 3},
        {"a": torch.zeros(2, 2).to_sparse()},
        b"no pickle at all",
        b"",
    ],
    ids=["empty", "list", "nested", "number", "sparse", "text", "nothing"],
)
def test_what_is_no_state_dict_is_refused(server: Server, tmp_path: Path, content: object) -> None:
    url = server.offer(content if isinstance(content, bytes) else pickled(content))
    said = message(ModelError, lambda: fetch_imagenet("resnet18", tmp_path, url=url))
    assert said.startswith(f"{url} is not a plain state dict")
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


# Into a network.


@pytest.fixture(scope="module")
def donor() -> dict[str, Tensor]:
    """The state of a resnet20 for 10 classes, unlike any fresh one."""
    torch.manual_seed(9)
    state = create_model("resnet20", num_classes=10).state_dict()
    return {name: torch.rand(value.shape).to(value.dtype) + 1 for name, value in state.items()}


def differing(model: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    state = model.state_dict()
    return [n for n in state if n not in tensors or not torch.equal(state[n], tensors[n])]


@pytest.mark.parametrize("new_head", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_all_tensors_are_copied(
    donor: dict[str, Tensor], new_head: bool, layout: torch.memory_format
) -> None:
    model = create_model("resnet20", num_classes=10)
    model.to(memory_format=layout)  # type: ignore[call-overload]
    strides = [parameter.stride() for parameter in model.parameters()]
    assert load_matching(model, donor, new_head=new_head) == []
    assert differing(model, donor) == []
    assert [parameter.stride() for parameter in model.parameters()] == strides
    model.fc.weight.data.zero_()
    assert donor["fc.weight"].all()  # copied, not shared


def test_another_number_of_classes_swaps_the_head(donor: dict[str, Tensor]) -> None:
    model = create_model("resnet20", num_classes=3)
    before = model.fc.weight.detach().clone()
    assert load_matching(model, donor, new_head=True) == ["fc.weight", "fc.bias"]
    assert differing(model, donor) == ["fc.weight", "fc.bias"]
    assert torch.equal(model.fc.weight, before)


def test_without_a_new_head_other_classes_are_an_error(donor: dict[str, Tensor]) -> None:
    model = create_model("resnet20", num_classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert message(ModelError, lambda: load_matching(model, donor, new_head=False)) == (
        "the weights do not fit the network: `fc.weight` is (10, 64) in the weights and (3, 64) "
        "in the network, and 1 more differ. Name the network they were made for."
    )
    assert differing(model, before) == []


@pytest.mark.parametrize("new_head", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer3.2.bn2.bias": None}, "`layer3.2.bn2.bias` is absent in the weights and (64,) in"),
        ({"fc.bias": None}, "`fc.bias` is absent in the weights and (10,) in the network."),
        ({"extra": torch.zeros(2, 1)}, "`extra` is (2, 1) in the weights and absent in the net"),
        (
            {"fc.scale": torch.zeros(())},
            "`fc.scale` is () in the weights and absent in the network",
        ),
        ({"bn1.weight": torch.zeros(16, 1)}, "`bn1.weight` is (16, 1) in the weights and (16,) in"),
        (
            {"conv1.weight": torch.zeros(16, 3, 7, 7), "x": torch.zeros(1), "bn1.bias": None},
            "`conv1.weight` is (16, 3, 7, 7) in the weights and (16, 3, 3, 3) in the network, "
            "and 2 more differ.",
        ),
    ],
)
def test_what_does_not_fit_changes_nothing(
    donor: dict[str, Tensor], change: dict[str, Tensor | None], said: str, new_head: bool
) -> None:
    tensors = {n: v for n, v in {**donor, **change}.items() if v is not None}
    model = create_model("resnet20", num_classes=10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    heard = message(ModelError, lambda: load_matching(model, tensors, new_head=new_head))
    assert heard.startswith("the weights do not fit the network: " + said)
    assert differing(model, before) == []


def test_files_without_counters_are_taken(donor: dict[str, Tensor]) -> None:
    old = {name: value for name, value in donor.items() if "num_batches" not in name}
    assert len(old) < len(donor)
    model = create_model("resnet20", num_classes=10)
    assert load_matching(model, old, new_head=False) == []
    assert differing(model, {**model.state_dict(), **old}) == []
    assert int(model.get_buffer("bn1.num_batches_tracked")) == 0


def test_half_precision_files_are_widened(donor: dict[str, Tensor]) -> None:
    half = {n: v.bfloat16() if v.is_floating_point() else v for n, v in donor.items()}
    model = create_model("resnet20", num_classes=10)
    load_matching(model, half, new_head=False)
    assert model.conv1.weight.dtype is torch.float32
    assert torch.equal(model.conv1.weight, half["conv1.weight"].float())


def test_another_depth_is_an_error() -> None:
    """A resnet34's weights have more blocks than a resnet18 has places."""
    with torch.device("meta"):
        small, large = create_model("resnet18"), create_model("resnet34")
    said = message(ModelError, lambda: load_matching(small, large.state_dict(), new_head=True))
    assert "`layer1.2.conv1.weight` is (64, 64, 3, 3) in the weights and absent in the" in said
