"""Run folders: never overwritten, and what was used is in them."""

import os
import re
from datetime import datetime
from pathlib import Path

import pytest

from shortcut.errors import DataError, ModelError, ResourceError
from shortcut.runfolder import (
    PACKAGES,
    Facts,
    clear_run_folder,
    find_launched,
    gather_facts,
    make_run_folder,
    read_facts,
)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def facts_of(root: Path) -> Facts:
    return gather_facts("cats", "folders", root, measured_on="val", lang="zh", log_interval=7)


# The folder ------------------------------------------------------------------------------


def test_runs_are_numbered_and_never_overwritten(here):
    made = [make_run_folder(None, "resnet18-cats") for _ in range(3)]
    names = ["resnet18-cats", "resnet18-cats-2", "resnet18-cats-3"]
    assert made == [Path("runs") / name for name in names]
    assert all((here / folder).is_dir() for folder in made)


def test_an_earlier_run_is_left_alone(here):
    first = make_run_folder(None, "a")
    (first / "log.txt").write_text("mine", "utf-8")
    make_run_folder(None, "a")
    assert (first / "log.txt").read_text("utf-8") == "mine"


def test_the_folder_asked_for_is_the_folder(tmp_path):
    wanted = tmp_path / "deep" / "run"
    assert make_run_folder(wanted, "unused") == wanted
    assert wanted.is_dir()


def test_an_empty_folder_may_be_used(tmp_path):
    assert make_run_folder(tmp_path, "unused") == tmp_path


@pytest.mark.parametrize("as_file", [False, True])
def test_an_occupied_place_is_refused(as_file, tmp_path):
    wanted = tmp_path / "taken"
    if as_file:
        wanted.write_text("mine", "utf-8")
    else:
        wanted.mkdir()
        (wanted / "photo.jpg").touch()
    with pytest.raises(ResourceError) as refusal:
        make_run_folder(wanted, "unused")
    assert str(refusal.value) == (
        f"{wanted}: exists and is not empty; runs are never overwritten: give `--output` another "
        "place."
    )
    assert refusal.value.exit_code == 5


def test_a_place_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"file/run: cannot be written \(.+\)\.$"):
        make_run_folder(tmp_path / "file" / "run", "unused")


def test_runs_may_be_a_file(here):
    (here / "runs").touch()
    with pytest.raises(ResourceError, match=r"^runs/a: cannot be written \(.+\)\.$"):
        make_run_folder(None, "a")


@pytest.mark.usefixtures("permissions_bind")
def test_a_read_only_place(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ResourceError, match=r"cannot be written \(Permission denied\)"):
            make_run_folder(tmp_path / "run", "unused")
    finally:
        tmp_path.chmod(0o700)


def test_a_refusal_of_the_system_is_one_line(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ResourceError) as refusal:
        make_run_folder(tmp_path / "run", "unused")
    expected = f"{tmp_path / 'run'}: cannot be written (Read-only file system)."
    assert str(refusal.value) == expected


# What a launch left ----------------------------------------------------------------------

HERE, THERE, OTHER = "photos-1 here-7-99", "photos-1 there-3-12", "cats here-7-99"
UNNAMED = " here-7-99"


def left(
    folder: Path, launch: str, *, asked: str = "it", hour: int = 8, done: bool = False
) -> Path:
    """A run that a launch began, and perhaps finished."""
    folder.mkdir(parents=True)
    started = datetime(2026, 1, 1, hour).astimezone().isoformat()
    facts = facts_of(folder).model_copy(
        update={"launch": launch, "asked": asked, "started": started}
    )
    (folder / "environment.json").write_text(facts.model_dump_json(), "utf-8")
    if done:
        (folder / "record.md").touch()
    return folder


@pytest.mark.parametrize("launch", [HERE, UNNAMED])
def test_what_a_person_put_there_stays_whoever_starts_anew(launch, tmp_path):
    """`--recipe exp/recipe.yaml --output exp`: the first start is refused, and so are all."""
    mine = ("recipe.yaml", "log.txt", "split.csv")
    for name in mine:
        (tmp_path / name).write_text("mine", "utf-8")
    for _ in range(3):
        assert find_launched(tmp_path, launch, "it") is None
        with pytest.raises(ResourceError, match="never overwritten"):
            make_run_folder(tmp_path, "unused", launch)
    assert [(tmp_path / name).read_text("utf-8") for name in mine] == ["mine"] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(mine)


def test_a_folder_that_came_to_no_use_is_taken_over_by_its_launch_alone(here):
    for wanted in (here / "run", None):
        made = make_run_folder(wanted, "a", HERE)
        (made / "recipe.yaml").touch()  # and then it was killed
        assert find_launched(wanted, HERE, "it") is None
        assert make_run_folder(wanted, "a", HERE) == made
    for launch in ("", OTHER, THERE):
        with pytest.raises(ResourceError, match="never overwritten"):
            make_run_folder(here / "run", "a", launch)
    assert make_run_folder(None, "a") == Path("runs/a-2")
    clear_run_folder(here / "run")
    assert not (here / "run").exists()


def test_a_run_that_began_is_never_taken_over(tmp_path):
    made = make_run_folder(tmp_path / "run", "unused", HERE)
    (made / "environment.json").touch()
    with pytest.raises(ResourceError, match="never overwritten"):
        make_run_folder(made, "unused", HERE)


@pytest.mark.parametrize("done", [False, True])
def test_a_launch_finds_its_run(here, done):
    for launch in (HERE, UNNAMED):
        run = left(here / "runs" / launch[:3], launch, done=done)
        assert find_launched(None, launch, "it") == run.relative_to(here)
        assert find_launched(run, launch, "it") == run
        assert find_launched(run, launch, "another recipe") is None
        assert find_launched(run, "", "it") is None


def test_of_several_the_newest(here):
    for hour, name in ((9, "x"), (11, "x-2"), (10, "x-3")):
        left(here / "runs" / name, HERE, hour=hour)
    assert find_launched(None, HERE, "it") == Path("runs/x-2")


def test_another_launch_of_the_same_name(here):
    """Last week's is left alone; a run that was named and is not finished goes on."""
    last_week, cut = left(here / "runs/x", THERE, done=True), left(here / "runs/x-2", THERE)
    assert find_launched(None, HERE, "it") is None
    assert find_launched(last_week, HERE, "it") is None
    assert find_launched(cut, HERE, "it") == cut
    assert find_launched(cut, OTHER, "it") is None
    without = left(here / "runs/x-3", " there-3-12")  # nobody gave it a name
    assert find_launched(without, UNNAMED, "it") is None


def test_facts_of_an_older_version(tmp_path):
    """They knew neither what was asked for nor where the data was given."""
    new = {"asked", "location", "download", "launch"}
    older = facts_of(tmp_path).model_dump_json(exclude=new)
    (tmp_path / "environment.json").write_text(older, "utf-8")
    assert read_facts(tmp_path).location == ""
    assert find_launched(tmp_path, HERE, "it") is None


# Facts -------------------------------------------------------------------------


def test_facts_survive_the_round_trip(tmp_path):
    facts = facts_of(tmp_path / "Фото 猫")
    (tmp_path / "environment.json").write_text(facts.model_dump_json(indent=1), "utf-8")
    assert read_facts(tmp_path) == facts
    assert facts.data_root == str(tmp_path / "Фото 猫")
    assert (facts.measured_on, facts.lang, facts.log_interval) == ("val", "zh", 7)
    assert set(facts.versions) == set(PACKAGES)
    assert facts.cpus >= 1


def test_the_root_is_absolute(here):
    assert facts_of(Path("photos")).data_root == str(here / "photos")


def test_a_folder_whose_name_is_no_unicode(tmp_path):
    """Linux allows any bytes: `Fotos\\xfc` from an old disk must not end in a traceback."""
    root = tmp_path / os.fsdecode(b"fotos\xfc")
    with pytest.raises(DataError, match="not valid Unicode; rename"):
        facts_of(root)
    with pytest.raises(DataError, match="not valid Unicode; rename"):
        gather_facts(
            *("cats", "folders", tmp_path),
            measured_on="val",
            lang="en",
            log_interval=1,
            location=str(root),
        )


def test_who_wants_the_place_of_a_run_may_want_to_go_on_with_it(tmp_path):
    (tmp_path / "environment.json").touch()
    with pytest.raises(ResourceError, match=f"`shortcut resume {tmp_path}` goes on"):
        make_run_folder(tmp_path, "unused")


def test_not_a_run_folder(tmp_path):
    rest = "give the folder that `train` named first, such as runs/resnet18-photos."
    for folder, said in (
        (tmp_path, "not a run folder (no environment.json in it)"),
        (tmp_path / "none", "does not exist"),
    ):
        with pytest.raises(ModelError) as refusal:
            read_facts(folder)
        assert str(refusal.value) == f"{folder}: {said}; {rest}"


def test_a_folder_of_runs_names_one(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "environment.json").touch()
    with pytest.raises(ModelError, match=f"it holds some: give one, such as {tmp_path}/b"):
        read_facts(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"data_name": 3}', b"\xff\xfe\x00", b"[" * 100_000]
)
def test_damaged_facts(content, tmp_path):
    (tmp_path / "environment.json").write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "environment.json"))):
        read_facts(tmp_path)
