"""What scanners of pickles were got past with: here nothing scans, and names that are not on the
list of tensors and their parts are not even looked up (F7).

The functions are those of published advisories about picklescan, modelscan and fickling.
"""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.hostile_models.conftest import Door
from tests.hostile_models.making import (
    bare,
    called,
    legacy,
    named,
    payloads,
    rezipped,
    text,
    zipped,
)
from tests.hostile_models.standin import StandIn
from tests.models.files import names, pickled, small_state

FUNCTIONS = """
asyncio.unix_events._UnixSubprocessTransport._start bdb.Bdb.run builtins.__import__
builtins.breakpoint builtins.compile builtins.eval builtins.exec builtins.getattr builtins.map
builtins.open cProfile.run code.InteractiveInterpreter.runcode codecs.open commands.getoutput
ctypes.CDLL distutils.file_util.write_file doctest.debug_script ensurepip._run_pip
fileinput.FileInput ftplib.FTP functools.partial http.client.HTTPSConnection
idlelib.calltip.get_entity idlelib.debugobj.ObjectTreeItem.SetText
idlelib.pyshell.ModifiedInterpreter.runcommand idlelib.run.Executive.runcode
importlib.import_module imaplib.IMAP4_stream lib2to3.pgen2.grammar.Grammar.loads
linecache.getlines logging.config.fileConfig marshal.loads numpy.f2py.crackfortran.getlincoef
numpy.f2py.crackfortran._eval_length numpy.load numpy.testing._private.utils.runstring
numpy.distutils.exec_command.exec_command operator.attrgetter operator.methodcaller os.popen
os.system pathlib.Path.write_text pdb.run pickle.loads pip.main pip._internal.main
pkgutil.resolve_name posix.system profile.Profile.runctx pty.spawn pydoc.locate pydoc.pipepager
requests.get runpy.run_path shutil.rmtree shelve.open socket.create_connection sqlite3.connect
subprocess.check_output sys.exit test.support.script_helper.assert_python_ok timeit.timeit
torch._dynamo.guards.GuardBuilder.get torch._inductor.codecache.compile_file
torch.distributed.run.main
torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression torch.hub.load
torch.jit.load torch.jit.unsupported_tensor_ops.execWrapper torch.load
torch.package.package_importer.PackageImporter torch.serialization.load
torch.storage._load_from_bytes torch.utils._config_module.ConfigModule.load_config
torch.utils.bottleneck.__main__.run_cprofile torch.utils.collect_env.run
torch.utils.cpp_extension.load_inline torch.utils.data.datapipes.utils.decoder.basichandlers
trace.Trace.run types.CodeType types.FunctionType typing.get_type_hints urllib.request.urlopen
uuid._get_command_stdout webbrowser.open xmlrpc.client.ServerProxy zipimport.zipimporter
"""
COMMAND = text("import os; os.system('touch canary')")


@pytest.mark.parametrize("function", FUNCTIONS.split())
def test_a_function_that_is_not_on_the_list_is_named(
    quick_child: StandIn, work: Path, door: Door, function: str
) -> None:
    path, before = work.parent / "a.pt", names(work)
    path.write_bytes(zipped(b"}" + text("fc.weight") + called(named(function), COMMAND) + b"s"))
    said = door("import-weights", path).refusal()
    told = function.removeprefix("builtins.")
    assert f"`{path}` is refused: it asks for `{told}`, which is more than tensors. " in said
    assert "Nothing in it was run." in said
    assert names(work) == before
    assert function.rpartition(".")[0] not in quick_child.imports


def crc(content: bytes) -> bytes:
    """The archive with a wrong sum over its pickle: scanners that stop at it, and torch which did
    not (CVE-2025-10156)."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pickle = next(one for one in archive.infolist() if one.filename.endswith("data.pkl"))
    true = struct.pack("<L", pickle.CRC)
    assert content.count(true) == 2  # in front of the pickle, and in the table at the end
    return content.replace(true, struct.pack("<L", pickle.CRC ^ 1))


def flagged(content: bytes) -> bytes:
    """The archive whose table says that its members are encrypted, which they are not."""
    return b"PK\x01\x02".join(
        part if not i else part[:4] + b"\x01\x00" + part[6:]
        for i, part in enumerate(content.split(b"PK\x01\x02"))
    )


def twice(content: bytes) -> bytes:
    """The archive with an innocent pickle under the same name beside the other."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(name, bare(b"}"))
    return file.getvalue()


def renamed(content: bytes) -> bytes:
    """The archive with another name in front of its pickle than in the table at the end."""
    place = content.index(b"data.pkl")
    return content[:place] + b"date.txt" + content[place + 8 :]


def inside(content: bytes) -> bytes:
    """An archive in an archive."""
    return rezipped(
        pickled(small_state()), lambda name, data: content if name.endswith("data.pkl") else data
    )


def scripted(content: bytes) -> bytes:
    """An archive that looks like TorchScript, which torch reads by another way."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        folder = archive.namelist()[0].split("/")[0]
        archive.writestr(f"{folder}/constants.pkl", bare(b")"))
        archive.writestr(f"{folder}/code/__torch__.py", "import os")
    return file.getvalue()


def arrays(content: bytes) -> bytes:
    """Numpy's archive of an array of objects."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(118) + b"\n"
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head)
        archive.writestr("data.pkl", content)
    return file.getvalue()


ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "a wrong sum": crc,
    "said to be encrypted": flagged,
    "two pickles of one name": twice,
    "two names of one pickle": renamed,
    "an archive in it": inside,
    "TorchScript": scripted,
    "numpy": arrays,
    "something before it": lambda content: b"\x80\x02N." + content,
    "something behind it": lambda content: content + b"MZ" * 9,
    "7-Zip's name": lambda content: b"7z\xbc\xaf\x27\x1c" + content,
    "a comment": lambda content: content[:-2] + struct.pack("<H", 5) + b"hello",
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_odd_archive_is_refused(quick_child: StandIn, work: Path, door: Door, kind: str) -> None:
    before = names(work)
    path = work.parent / "a.bin"  # by no ending that anybody scans (CVE-2025-10155)
    path.write_bytes(ARCHIVES[kind](zipped(payloads(work.parent / "canary")["in a dict"])))
    assert door("import-weights", path).refusal().startswith(f"`{path}` ")
    assert names(work) == before
    assert not (work.parent / "canary").exists()


@pytest.mark.parametrize("pack", [bare, legacy, zipped])
def test_what_stands_behind_the_end_is_not_read(
    quick_child: StandIn, work: Path, door: Door, pack: Callable[[bytes], bytes]
) -> None:
    """Two pickles, of which the first is harmless."""
    canary = work.parent / "canary"
    path = work.parent / "a.ckpt"
    path.write_bytes(pack(b"}." + bare(payloads(canary)["GLOBAL"])[:-1]))
    assert "is refused" in door("import-weights", path).refusal()
    assert not canary.exists()
