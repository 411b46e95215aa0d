#!/usr/bin/env python3
"""Make .venv from the hashed locks, then run a task in it.  Stdlib only; any Python 3 starts it.

    python3 dev.py setup              make .venv; .venv/bin/gateway is then the command
    python3 dev.py run                the demo: gateway, landing page, inbox (= gateway demo)
    python3 dev.py check              format, lint, types, import contracts, unit tests
    python3 dev.py test [ARGS]        everything that needs only Python packages
    python3 dev.py test-wide [ARGS]   what needs Debian packages (browser, OpenDKIM, ...)
    python3 dev.py test-long [ARGS]   minutes of load, kills, statistics and new dice
    python3 dev.py bench [ARGS]       benchmarks
    python3 dev.py bench-peers        our worker beside nodemailer, Postfix and openssl
    python3 dev.py format             rewrite the code in the house format
    python3 dev.py release            dist/: package, list of what it needs (CycloneDX), checksums
    python3 dev.py lock               renew the locks from pyproject.toml (needs the network)

PYTHON=/path/to/python picks the interpreter; DEV_INSTALLER=pip does without uv.
"""

import base64
import contextlib
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
VPY = os.path.join(BIN, "python.exe" if os.name == "nt" else "python")
MINIMUM = (3, 11)
CODE = ["storage", "audit", "consent", "delivery", "gateway", "templates/bundle", "tests", "dev.py"]
PYTEST = ["-m", "pytest", "-q"]
NARROW = [*PYTEST, "--ignore", "tests/browser"]  # which needs what only the wide tier installs
ANY_DICE = ["--hypothesis-profile", "any machine, any dice"]  # `make test` has the same each time
TASKS = {
    "setup": ("run", []),
    "run": ("run", [["-m", "gateway", "demo"]]),
    "check": (
        "dev",
        [
            ["-m", "ruff", "format", "--check", *CODE],
            ["-m", "ruff", "check", *CODE],
            ["-m", "mypy"],
            [os.path.join(BIN, "lint-imports")],
            [*PYTEST, "-n", "2", "tests/unit", "tests/test_rules.py"],
        ],
    ),
    "test": ("dev", [[*NARROW, "-m", "not wide and not long", "-n", "4", "--dist", "loadgroup"]]),
    "test-wide": ("wide", [[*PYTEST, "-m", "wide", "-n", "2"]]),
    "test-long": ("dev", [[*NARROW, "-m", "(long or hypothesis) and not wide", *ANY_DICE]]),
    "bench": ("dev", [["-m", "benchmarks"]]),
    "bench-peers": ("dev", [["-m", "benchmarks.peers"]]),
    "format": ("dev", [["-m", "ruff", "format", *CODE], ["-m", "ruff", "check", "--fix", *CODE]]),
    "release": ("release", [["-m", "build", "--no-isolation", "--outdir", "dist"]]),
    "lock": ("uv", []),
}
LOCKS = {
    "run": "requirements.lock",
    "dev": "requirements-dev.lock",
    "wide": "requirements-wide.lock",
    "release": "requirements-release.lock",
}


def say(text):
    sys.stderr.write("dev: %s\n" % text)
    sys.stderr.flush()


def quiet(*command, **options):
    return subprocess.call(list(command), cwd=ROOT, **options) == 0


def find_python():
    """An interpreter that answers: names on PATH may be shims that lead nowhere."""
    probe = "import sys; print(sys.executable if sys.version_info >= %r else '')" % (MINIMUM,)
    names = [os.environ.get("PYTHON"), sys.executable, "python3"]
    names += ["python3.%d" % minor for minor in range(16, 10, -1)]
    for name in filter(None, names):
        try:
            out = subprocess.check_output([name, "-c", probe], stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            continue
        if out.strip():
            return out.decode().strip()
    sys.exit("dev: no Python >= %d.%d found; install one, or name it with PYTHON=..." % MINIMUM)


def make_venv(python):
    if os.path.exists(VPY):
        return
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if not quiet(python, "-m", "venv", VENV, **silent):
        shutil.rmtree(VENV, ignore_errors=True)  # half a venv is left without ensurepip
        if not quiet(python, "-m", "venv", "--without-pip", VENV):
            sys.exit("dev: this Python cannot make a venv; on Debian: apt install python3-venv")


def pip_for(python):
    """A pip that writes into .venv, with or without Debian's python3-venv."""
    make_venv(python)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for command in ([VPY, "-m", "pip"], [python, "-m", "pip", "--python", VPY]):
        if quiet(*command, "--version", **silent):
            return command
    sys.exit("dev: neither pip nor ensurepip here; on Debian: apt install python3-venv")


def find_uv(python):
    """uv from PATH, or installed into .venv by hash."""
    found = shutil.which("uv")
    if found:
        return found
    own = os.path.join(BIN, "uv")
    if not os.path.exists(own):
        command = [*pip_for(python), "install", "-q", "--disable-pip-version-check"]
        if not quiet(*command, "--require-hashes", "-r", "requirements-uv.lock"):
            return None
    return own


def with_uv(python, lock):
    uv = find_uv(python)
    if uv is None:
        return False
    make_venv(python)
    install = [uv, "pip", "install", "-q", "--python", VPY]
    return quiet(*install, "--require-hashes", "-r", lock) and quiet(
        *install, "--no-deps", "-e", "."
    )


def with_pip(python, lock):
    install = [*pip_for(python), "install", "-q", "--disable-pip-version-check"]
    return quiet(*install, "--require-hashes", "-r", lock) and quiet(
        *install, "--no-deps", "-e", "."
    )


def fingerprint(level):
    digest = hashlib.sha256(level.encode())
    for name in ("pyproject.toml", LOCKS[level]):
        with open(os.path.join(ROOT, name), "rb") as handle:
            digest.update(handle.read())
    return digest.hexdigest()


def is_ready(level):
    stamp = os.path.join(VENV, ".ready-" + level)
    with contextlib.suppress(OSError), open(stamp) as handle:
        return handle.read() == fingerprint(level) and os.path.exists(VPY)
    return False


@contextlib.contextmanager
def alone():
    """One installation at a time: two in the same .venv break each other."""
    with open(os.path.join(ROOT, ".venv.lock"), "w") as handle:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure(level):
    if is_ready(level):
        return
    with alone():
        if is_ready(level):
            return
        python = find_python()
        say("setting up .venv with %s" % python)
        ways = [with_pip] if os.environ.get("DEV_INSTALLER") == "pip" else [with_uv, with_pip]
        for way in ways:
            if way(python, LOCKS[level]):
                with open(os.path.join(VENV, ".ready-" + level), "w") as handle:
                    handle.write(fingerprint(level))
                return
            say("%s did not finish" % way.__name__)
    sys.exit("dev: set-up failed; see the lines above")


def apart(name):
    """Where the commands of a tool are whose packages do not go with ours: .venv/NAME."""
    folder, lock_file = os.path.join(VENV, name), "requirements-%s.lock" % name
    commands = os.path.join(folder, "Scripts" if os.name == "nt" else "bin")
    with open(os.path.join(ROOT, lock_file), "rb") as handle:
        wanted = hashlib.sha256(handle.read()).hexdigest()
    stamp = os.path.join(folder, ".ready")
    with alone():
        with contextlib.suppress(OSError), open(stamp) as handle:
            if handle.read() == wanted:
                return commands
        uv = find_uv(find_python()) or sys.exit("dev: no uv")
        made = quiet(uv, "venv", "-q", "--clear", "--python", VPY, folder)
        install = [uv, "pip", "install", "-q", "--python", folder, "--require-hashes"]
        if not made or not quiet(*install, "-r", lock_file):
            sys.exit("dev: set-up of %s failed; see the lines above" % name)
        with open(stamp, "w") as handle:
            handle.write(wanted)
    return commands


def lock():
    """Resolve once for every platform; each lock holds what the smaller one holds."""
    uv = find_uv(find_python()) or sys.exit("dev: no uv")
    base = [uv, "pip", "compile", "-q", "--universal", "--generate-hashes", "--no-header"]
    base += ["--no-annotate", "--python-version", "%d.%d" % MINIMUM, "--upgrade"]
    groups = {"run": [], "dev": ["dev"], "wide": ["dev", "wide"]}
    for level, names in groups.items():
        target = ["pyproject.toml", "-o", LOCKS[level]]
        constraint = [] if level == "wide" else ["-c", LOCKS["wide"]]
        wanted = [word for name in names for word in ("--group", name)]
        if level != "wide" and not os.path.exists(os.path.join(ROOT, LOCKS["wide"])):
            constraint = []
        if not quiet(*base, *constraint, *wanted, *target):
            sys.exit("dev: could not resolve %s" % level)
    if not quiet(*base, "-c", LOCKS["wide"], "--group", "release", "-o", LOCKS["release"]):
        sys.exit("dev: could not resolve release")
    for name, package in {"uv": "uv", "client": "openapi-python-client"}.items():
        wanted = os.path.join(VENV, name + ".in")
        with open(wanted, "w") as handle:
            handle.write(package + "\n")
        if not quiet(*base, wanted, "-o", "requirements-%s.lock" % name):
            sys.exit("dev: could not resolve %s" % name)


def environment():
    """Compiled modules are kept, in .venv: without them each process starts two seconds later."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": os.path.join(VENV, "compiled"), **kept}


def run(command):
    """Run *command* to its end; Ctrl-C is its own to obey, and we wait until it has."""
    return await_end(subprocess.Popen(command, cwd=ROOT, env=environment()))


def await_end(process):
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # going now would leave it half-stopped, or kill it


def run_beside(commands):
    """Run all at once, for most use one processor; each says at its end what it has to say."""
    sys.stderr.write(f"dev: {len(commands)} parts at once; each is told when it has ended\n")
    with contextlib.ExitStack() as stack:
        running = []
        for command in commands:
            said = stack.enter_context(tempfile.TemporaryFile())
            options = {"stdout": said, "stderr": subprocess.STDOUT}
            process = subprocess.Popen(command, cwd=ROOT, env=environment(), **options)
            running.append((process, said))
        failed = 0
        for process, said in running:
            status = await_end(process)
            said.seek(0)
            sys.stdout.write(said.read().decode(errors="replace"))
            sys.stdout.flush()
            failed = failed or status
        return failed


def release(build):
    """Build the package, list by hash what it is installed with, and sum both up.

    The same commit gives the same bytes: files are dated as it is.
    """
    dist = os.path.join(ROOT, "dist")
    shutil.rmtree(dist, ignore_errors=True)
    of_commit = ["git", "log", "-1", "--format=%ct"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        dated = subprocess.check_output(of_commit, cwd=ROOT, stderr=subprocess.DEVNULL)
        os.environ.setdefault("SOURCE_DATE_EPOCH", dated.decode().strip())
    # It warns of what no lock says: which of these needs which.
    listing = [VPY, "-W", "ignore", "-m", "cyclonedx_py", "requirements", LOCKS["run"]]
    listing += ["--pyproject", "pyproject.toml", "--output-reproducible"]
    listing += ["--output-file", os.path.join("dist", "sbom.cdx.json")]
    for command in ([VPY, *build], listing):
        if status := run(command):
            return status
    _list_vendored(os.path.join(dist, "sbom.cdx.json"))
    names = sorted(os.listdir(dist))
    with open(os.path.join(dist, "SHA256SUMS"), "w") as sums:
        for name in names:
            with open(os.path.join(dist, name), "rb") as handle:
                sums.write("%s  %s\n" % (hashlib.sha256(handle.read()).hexdigest(), name))
    say("dist/: %s, SHA256SUMS" % ", ".join(names))
    return 0


def _list_vendored(listing):
    """Add what is served from our own files, and no lock names."""
    import tomllib

    with open(listing) as handle:
        listed = json.load(handle)
    for place in sorted(glob.glob(os.path.join(ROOT, "templates", "vendor", "*", "vendor.toml"))):
        with open(place, "rb") as handle:
            one = tomllib.load(handle)
        purl = "pkg:npm/%s@%s" % (one["name"], one["version"])
        whole = base64.b64decode(one["integrity"].partition("-")[2]).hex()
        listed["components"].append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": one["name"],
                "version": one["version"],
                "purl": purl,
                "licenses": [{"license": {"id": one["licence"]}}],
                "externalReferences": [
                    {
                        "type": "distribution",
                        "url": one["source"],
                        "hashes": [{"alg": "SHA-512", "content": whole}],
                    }
                ],
            }
        )
        listed.setdefault("dependencies", []).append({"ref": purl})
    with open(listing, "w") as handle:
        json.dump(listed, handle, indent=2)


def main(arguments):
    if not arguments or arguments[0] not in TASKS:
        sys.exit(__doc__)
    level, commands = TASKS[arguments[0]]
    if level == "uv":
        return lock()
    ensure(level)
    if level == "release":
        return release(commands[0])
    runners = [one if one[0].startswith(BIN) else [VPY, *one] for one in commands]
    runners = [[*one, *arguments[1:]] for one in runners]
    if arguments[0] == "check":
        return run_beside(runners)
    for command in runners:
        status = run(command)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
