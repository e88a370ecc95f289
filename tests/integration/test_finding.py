"""Which server a kernel and a script belong to, and what they say when there is none."""

import re
import shlex
import subprocess
import sys

import pytest

from tests.integration.kernels import QUIET, Patient, problems
from tests.kernel.conftest import CONFIG, RunningServer
from tests.kernel.test_layer import script

pytestmark = pytest.mark.integration
#: Seconds within which the first send raises.
SOON = 3.0
SEND = QUIET + "print(nb.Group('index').send({'y': 1}).offset)"
ELSE = (
    "nb.Channel('x').send({})",
    "nb.Group('x').send({}, wait=False)",
    "with nb.Group('x').batch() as out: out.send({})",
    "await nb.Group('x').asend({})",
    "nb.Group('x').history()",
    "nb.Group('x').subscribe(print)",
)
ENABLED = 'c.ServerApp.jpserver_extensions = {"nbchannels": True}\n'
assert ENABLED in CONFIG


class PlainServer(RunningServer):
    """Its extensions are as its environment says, not as its configuration file does.

    Args:
        config: instead of the line that enables ours.
        before: words of a ``jupyter`` command that is run before it starts.
    """

    def __init__(self, folder, config="", before=()):
        self.text, self.before = CONFIG.replace(ENABLED, config), before
        super().__init__(folder)

    def start(self, *, wait=True):
        self.config.write_text(self.text)
        if self.before:
            self.jupyter(sys.executable, "-m", "jupyter", *self.before)
            self.before = ()
        super().start(wait=wait)

    def jupyter(self, *words):
        subprocess.run(words, env=self.environment, check=True, capture_output=True, timeout=60)


@pytest.fixture
def make_server(tmp_path_factory):
    running = []

    def make(**options):
        running.append(PlainServer(tmp_path_factory.mktemp("plain"), **options))
        return running[-1]

    yield make
    for server in running:
        server.kill()


def refused(kernel):
    """The sentence of a first send, which must come soon."""
    kernel.begin("import nbchannels as nb, time; began = time.monotonic()\n")
    kernel.finish()
    out, error = kernel.run(
        "try:\n    nb.Group('x').send({'y': 1})\nfinally:\n    print(time.monotonic() - began)"
    )
    assert float(out) < SOON
    assert error.startswith("ServerNotFound: ")
    return error


def test_what_a_kernel_says_when_it_is_disabled_can_be_run_and_helps(make_server):
    server = make_server(before=("server", "extension", "disable", "nbchannels"))
    kernel = Patient(server)
    sentence = refused(kernel)
    assert f"(pid {server.process.pid}, http://localhost:{server.port}/base/)" in sentence
    assert "In the environment of the server run: " in sentence
    assert sentence.endswith("; then restart that server")
    # Every other way in says the same, and the kernel remembers nothing wrong.
    for code in ELSE:
        assert kernel.run(code) == ("", sentence), code
    out, error = kernel.run("%load_ext nbchannels")
    assert sentence.removeprefix("ServerNotFound: ") in out + error
    assert "Traceback" not in out + error
    # Installed and enabled, but not restarted: the same sentence, which says to restart.
    commands = re.search(r"server run: (.*); then restart", sentence)[1].split(" && ")
    install, enable = map(shlex.split, commands)
    assert install == [sys.executable, "-m", "pip", "install", "nbchannels"]
    server.jupyter(*enable)
    assert refused(kernel) == sentence
    kernel.end()
    server.kill()
    server.start()
    kernel = Patient(server)
    assert kernel.run(SEND) == ("1\n", "")
    kernel.end()
    assert problems(server) == []


def test_what_a_kernel_says_when_only_its_own_environment_has_the_package(make_server):
    server = make_server(config=f'{ENABLED}import sys\nsys.modules["nbchannels"] = None\n')
    kernel = Patient(server)
    sentence = refused(kernel)
    assert f"{sys.executable} -m pip install nbchannels" in sentence
    kernel.end()


def test_a_script_and_no_one_and_two_servers(server, make_server):
    gone = {"JUPYTER_RUNTIME_DIR": str(server.folder / "nothing")}
    status, out, error = script(server, SEND, **gone)
    assert (status, out) == (1, "")
    assert "no Jupyter server of this user is running; start one" in error.splitlines()[-1]

    status, out, error = script(server, SEND)
    assert (status, error) == (0, "")
    first = int(out)

    other = make_server(config=ENABLED)
    for path in other.runtime.glob("jpserver-*.json"):
        (server.runtime / path.name).write_text(path.read_text())
    status, out, error = script(server, SEND)
    assert (status, out) == (1, "")
    sentence = error.splitlines()[-1]
    for each in (server, other):
        assert f"http://localhost:{each.port}/base/ (pid {each.process.pid})" in sentence
    assert "set NBCHANNELS_URL and NBCHANNELS_TOKEN to choose one" in sentence

    for choice, expected in ((server, first + 1), (other, 1)):
        choose = {"NBCHANNELS_URL": choice.url, "NBCHANNELS_TOKEN": choice.token}
        assert script(server, SEND, **choose) == (0, f"{expected}\n", "")
    # One of the user's own needs no token; one elsewhere does.
    assert script(server, SEND, NBCHANNELS_URL=other.url) == (0, "2\n", "")
    assert script(server, SEND, NBCHANNELS_URL=other.url, **gone)[0] == 1

    other.kill()  # its file stays, as after a crash: nobody is confused by it
    assert script(server, SEND) == (0, f"{first + 2}\n", "")


def test_a_script_with_a_wrong_token_is_told_so_at_once(server):
    timed = (
        "import time; began = time.monotonic()\n"
        "try: nb.Group('index').send({'y': 1})\n"
        "finally: print(time.monotonic() - began)"
    )
    wrong = {"NBCHANNELS_URL": server.url, "NBCHANNELS_TOKEN": "not-the-token"}
    status, out, error = script(server, QUIET + timed, **wrong)
    assert status == 1
    assert float(out) < SOON
    sentence = error.splitlines()[-1]
    assert sentence.startswith("nbchannels.exceptions.PermissionDenied: ")
    assert f"{server.url} refused this script (HTTP 403)" in sentence
    assert "give a valid token: set NBCHANNELS_TOKEN" in sentence
    assert "not-the-token" not in error
