"""Beginning: what is said where it cannot start; and that nothing is lost where a worker ends."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.server.conftest import Crowd, Server, jpeg, started

from shortcut.errors import ModelError, RecipeError
from shortcut.server.limits import Limits
from shortcut.server.running import serve
from shortcut.server.supervisor import Supervisor, WorkerLostError
from shortcut.server.tasks import Task
from shortcut.server.worker import Model


def ended(*words: object) -> tuple[int, str]:
    """The exit code and the last line of a server that does not start."""
    command = [sys.executable, "-m", "shortcut", "serve", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr.strip()


def test_a_place_that_is_taken(model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = ended(model, "--port", taken.getsockname()[1])
    assert code == 2 and "`--port 0` takes a free one" in said
    code, said = ended(model, "--host", "203.0.113.7", "--allow-anonymous", "--port", 0)
    assert code == 2 and "cannot listen at 203.0.113.7" in said


def test_a_place_that_another_takes_meanwhile(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two may have the same address as long as neither listens."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr(Supervisor, "start", lambda *_: other.listen())
        with pytest.raises(RecipeError, match="`--port 0` takes a free one"):
            serve(Model(model), port=other.getsockname()[1])
    assert (capsys.readouterr().err, caplog.text) == ("", "")


def test_other_machines_need_a_token(model: Path, tmp_path: Path) -> None:
    code, said = ended(model, "--host", "0.0.0.0", "--port", 0)
    assert code == 2 and "anybody who reaches this machine could ask" in said
    (tmp_path / "empty").write_text("\n")
    code, said = ended(model, "--token-file", tmp_path / "empty")
    assert code == 2 and "first line is empty" in said


def test_options_without_effect_and_tokens_that_no_header_takes(
    model: Path, tmp_path: Path
) -> None:
    code, said = ended(model, "--engine", "openvino")
    assert code == 2 and "runs exported models" in said
    (tmp_path / "token").write_text("geheim ü\n")
    code, said = ended(model, "--token-file", tmp_path / "token")
    assert code == 2 and "plain letters" in said
    code, said = ended(model, "--device", "cuda:7")
    assert code in (2, 5)


def test_a_model_that_is_none(tmp_path: Path) -> None:
    assert ended(tmp_path / "none.safetensors", "--port", 0)[0] == 4
    (tmp_path / "bad.safetensors").write_bytes(b"none")
    code, said = ended(tmp_path / "bad.safetensors", "--port", 0)
    assert code == 4 and "bad.safetensors" in said


def test_ipv6_and_a_token(model: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    with started(model, "--host", "::1", "--token-file", tmp_path / "token") as server:
        assert server.address.startswith("http://[::1]:")
        assert server.post(jpeg()).status_code == 401
        secret = {"authorization": "Bearer secret"}
        assert server.post(jpeg(), headers=secret).status_code == 200


def test_a_worker_that_hangs_over_a_large_picture_is_replaced(model: Path) -> None:
    """A stopped process does not even take what it is handed: no answer is waited for, and the
    next worker gives one."""
    supervisor = Supervisor(Model(model), Limits(hanging=0.5))
    supervisor.start()

    async def hang() -> None:
        watching = asyncio.create_task(supervisor.watch(lambda: None))
        assert supervisor.process_id is not None
        os.kill(supervisor.process_id, signal.SIGSTOP)
        with pytest.raises(WorkerLostError):
            await supervisor.ask([Task("predict", bytes(8 << 20))])
        while not supervisor.ready:
            await asyncio.sleep(0.1)
        (answer,) = await supervisor.ask([Task("predict", jpeg())])
        assert isinstance(answer, dict) and "label" in answer
        watching.cancel()

    try:
        asyncio.run(asyncio.wait_for(hang(), 60))
    finally:
        supervisor.stop()


def test_a_worker_that_does_not_load_is_given_up(model: Path) -> None:
    with pytest.raises(ModelError, match="ended while loading"):
        Supervisor(Model(model), Limits(loading=0.05)).start()


def kill_worker(server: Server) -> float:
    """And wait for the next: so many seconds."""
    old = server.worker()
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    gone = False
    while time.monotonic() - began < 20:
        ready = server.get("/readyz").status_code == 200
        gone = gone or not ready
        assert server.get("/healthz").status_code == 200
        if gone and ready:
            assert server.worker() != old
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError("no new worker came, or nobody said that the old one was gone")


def test_a_killed_worker_is_replaced(model: Path) -> None:
    with started(model) as server, Crowd(server.address, 4) as crowd:
        time.sleep(0.3)
        kill_worker(server)
        crowd.statuses.append(0)
        time.sleep(0.5)
    assert crowd.lost == []
    assert set(crowd.statuses) <= {0, 200, 503}
    after = crowd.statuses[crowd.statuses.index(0) + 5 :]
    assert after and set(after) == {200}


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_twenty_killed_workers_are_replaced(model: Path) -> None:
    with started(model) as server, Crowd(server.address, 4) as crowd:
        seconds = []
        for _ in range(20):
            seconds.append(kill_worker(server))
            time.sleep(13)  # five deaths within a minute would be too many
    print(f"ready again after {min(seconds):.1f} to {max(seconds):.1f} s")
    assert crowd.lost == [] and set(crowd.statuses) <= {200, 503}


def test_workers_that_die_too_often_end_the_server(model: Path) -> None:
    with started(model) as server:
        began = time.monotonic()
        while server.process.poll() is None and time.monotonic() - began < 120:
            with contextlib.suppress(ValueError, ProcessLookupError, FileNotFoundError):
                os.kill(server.worker(), signal.SIGKILL)
            time.sleep(0.3)
        assert server.process.wait(10) == 5
        said = server.said()
    assert "the worker was ended by signal 9" in said
    assert "within a minute; is there enough memory?" in said.splitlines()[-1]


def test_why_no_new_worker_comes_is_told(model: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.safetensors"
    gone.write_bytes(model.read_bytes())
    with started(gone) as server:
        gone.unlink()
        os.kill(server.worker(), signal.SIGKILL)
        assert server.process.wait(120) == 5
        said = server.said()
    assert "gone.safetensors" in said.splitlines()[-1]


def test_pictures_that_a_worker_died_over_are_not_asked_for_again(model: Path) -> None:
    """They might be what it died of."""
    with started(model) as server:
        worker, answers = server.worker(), []
        os.kill(worker, signal.SIGSTOP)
        asking = threading.Thread(target=lambda: answers.append(server.post(jpeg())))
        asking.start()
        server.wait_until_asked()
        os.kill(worker, signal.SIGKILL)
        asking.join()
    (answer,) = answers
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "lost"
    assert "retry-after" not in answer.headers
