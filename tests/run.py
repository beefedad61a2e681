# SPDX-License-Identifier: MIT
"""`radon test`: everything that CI runs, stage by stage.

One line a test, one verdict line a stage, at the end what failed or was skipped once more, with what it
said, and last a line with the counts alone. A stage whose tools or programs are broken counts as one failed test:
nothing that was to be tested passes in silence.
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

from guest.machine import build, deps
from guest.machine.errors import EXIT_FAILED, EXIT_OK, RadonError
from guest.machine.options import Parser
from guest.machine.paths import BUILD, ROOT

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
CLANG_BUILD = os.path.join(BUILD, "clang")
CTEST_LINE = re.compile(r"Test +#\d+: (\S+) \.*\s*(?:\*\*\*)?(Passed|Skipped|\S.*?) +([\d.]+) sec")
GUEST_LINE = re.compile(r"(SUCCESS|SKIP|FAILURE|ERROR|CRASH)\s+(\S+) \(([\d.]+) s\) ?(.*)")
OUTPUT_TAIL = 40  # lines of a failed command that are shown
SAID_MAX = 6000  # characters of what a failed test said
WORKERS = 2  # as many as machines may run at once
# Of the sources as they are; cppcheck takes the one configuration that is built.
CHECKS = {
    "includes": [sys.executable, "tests/checks/includes.py"],
    "text": [sys.executable, "tests/checks/text.py"],
    "cppcheck": ["cppcheck", "--enable=warning,portability", "--std=c11", "--platform=unix64", "-j2",
                 "--quiet", "--error-exitcode=1", "--suppressions-list=tests/checks/cppcheck.txt",
                 "--max-configs=2", "-Ihv", "-Ihv/include", "-D__x86_64__", "-ifastpath/core/tests",
                 "-ifastpath/handlers/examples",
                 "hv", "fastpath"],
}


def shortened(text):
    """Its beginning and its end: a test says first what is wrong, and a machine's last lines are its last."""
    if len(text) <= SAID_MAX:
        return text
    return "%s\n[...]\n%s" % (text[:SAID_MAX // 2], text[-SAID_MAX // 2:])


class Tally:
    """Counts verdicts and prints a line for each."""

    def __init__(self):
        self.counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
        self.remarkable = []
        self.lock = threading.Lock()

    def add(self, stage, name, verdict, seconds, detail="", said=""):
        """detail: in the line itself.  said: what a failure left behind, of any length."""
        tail = ": " + detail if detail else ""
        said = "".join("\n    " + line for line in shortened(said).splitlines())
        with self.lock:
            self.counts[verdict] += 1
            line = "%-7s %s/%s (%.1f s)%s%s" % (verdict, stage, name, seconds, tail, said)
            if verdict != PASSED:
                self.remarkable.append(line)
            print(line, flush=True)

    def line(self, counts=None):
        counts = counts or self.counts
        return ", ".join("%d %s" % (counts[verdict], verdict) for verdict in (PASSED, FAILED, SKIPPED))


def run_command(tally, stage, name, command, **settings):
    """One command as one test; its output is shown if it fails."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", check=False,
                          **settings)
    verdict = PASSED if done.returncode == 0 else FAILED
    said = "" if verdict == PASSED else "\n".join(done.stdout.splitlines()[-OUTPUT_TAIL:])
    tally.add(stage, name, verdict, time.monotonic() - started, said=said)
    return verdict == PASSED


def stage_build(tally, options):
    """The whole tree by gcc and by clang, warnings as errors; /init; what can be seen in the sources."""
    for name, command in CHECKS.items():
        run_command(tally, "build", name, command)
    run_python(tally, "build", "tests/checks")
    # The image's flags are those of GNU ld; CMake would take clang's own linker.
    linker = "-DCMAKE_LINKER=" + (shutil.which("ld") or "ld")
    for name, directory, compiler in (("gcc", BUILD, "gcc"), ("clang", CLANG_BUILD, "clang-14")):
        plain = "-DRADON_UNIT_PLAIN=%s" % ("ON" if name == "clang" else "OFF")  # gcc's are run
        configure = ["cmake", "-S", ".", "-B", directory, "-DCMAKE_C_COMPILER=" + compiler,
                     "-DCMAKE_ASM_COMPILER=" + compiler, linker, plain]
        if os.path.exists(os.path.join(directory, "CMakeCache.txt")):
            configure = ["cmake", plain, directory]  # a change of compiler would throw the cache away
        if run_command(tally, "build", name + "-configure", configure):
            run_command(tally, "build", name, ["cmake", "--build", directory, "-j2"])
    for compiler, directory in (("gcc", BUILD), ("clang-14", CLANG_BUILD)):
        started = time.monotonic()
        build.compile_init(compiler, os.path.join(directory, "guest", "init"))
        tally.add("build", "init-" + compiler, PASSED, time.monotonic() - started)


def stage_unit(tally, options):
    """tests/unit on the host, with sanitizers, by ctest."""
    done = subprocess.run(["ctest", "--no-tests=error", "--output-on-failure", "-j2"], cwd=BUILD,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    found = list(CTEST_LINE.finditer(done.stdout))
    for at, behind in zip(found, found[1:] + [None]):
        name, word, seconds = at.groups()
        verdict = {"Passed": PASSED, "Skipped": SKIPPED}.get(word, FAILED)
        said = done.stdout[at.end():behind.start() if behind else None]
        tally.add("unit", name, verdict, float(seconds), *((word, said) if verdict == FAILED else ()))
    if done.returncode != 0 and all(at[2] in ("Passed", "Skipped") for at in found):
        said = "\n".join(done.stdout.splitlines()[-OUTPUT_TAIL:])
        tally.add("unit", "ctest", FAILED, 0, "status %d" % done.returncode, said)


class _Report(unittest.TestResult):
    """Writes unittest's events to a tally."""

    def __init__(self, tally, stage):
        super().__init__()
        self.tally, self.stage, self.started, self.bad = tally, stage, 0, False

    def _add(self, test, verdict, detail="", said=""):
        name = test.id().split(".", 1)[-1] if "." in test.id() else test.id()
        self.tally.add(self.stage, name, verdict, time.monotonic() - self.started, detail, said)

    def startTest(self, test):
        super().startTest(test)
        self.started, self.bad = time.monotonic(), False

    def addSuccess(self, test):
        if not self.bad:
            self._add(test, PASSED)

    def addSkip(self, test, reason):
        self._add(test, SKIPPED, reason)

    def _fail(self, test, error):
        self.bad = True
        self._add(test, FAILED, str(error[1]).split("\n", 1)[0][:120], self._exc_info_to_string(error, test))

    def addFailure(self, test, err):
        self._fail(test, err)

    def addError(self, test, err):
        self._fail(test, err)

    def addSubTest(self, test, subtest, err):
        if err:
            self._fail(subtest, err)


def class_suites(suite):
    """The suites that hold the tests of one class each; they may run side by side."""
    for part in suite:
        if not isinstance(part, unittest.TestSuite):
            yield suite
            return
        yield from class_suites(part)


def run_python(tally, stage, directory, patterns=()):
    """Every test_*.py of a folder, as unittest."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = ["*%s*" % pattern for pattern in patterns] or None
    suite = loader.discover(os.path.join(ROOT, directory), top_level_dir=ROOT)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(part.run, _Report(tally, stage)) for part in class_suites(suite)]:
            done.result()


def stage_machine(tally, options):
    """The runner itself."""
    run_python(tally, "machine", "tests/machine", options.match)


def stage_bench(tally, options):
    """The benchmark's programs, documents and commands."""
    build.build_tree(target="rbench")
    build.build_tree(target="rbench-tiny")
    run_python(tally, "bench", "tests/bench", options.match)


def stage_guest(tally, options):
    """Own PV kernels in QEMU."""
    command = [sys.executable, "tests/guest/run.py", "--on", options.on]
    done = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, text=True, errors="replace")
    bad, last, said = 0, "", ""
    for line in done.stdout:
        found = GUEST_LINE.match(line)
        if found:
            verdict = {"SUCCESS": PASSED, "SKIP": SKIPPED}.get(found[1], FAILED)
            bad += verdict == FAILED
            detail = "" if verdict == PASSED else "%s: %s" % (found[1], found[4].strip())
            tally.add("guest", found[2], verdict, float(found[3]), detail, said)
            said = ""
        elif line.startswith("    "):
            said += line[4:]
        elif line.strip():
            last = line.strip()
    if done.wait() != 0 and not bad:
        tally.add("guest", "run", FAILED, 0, last)


def stage_linux(tally, options):
    """Debian's kernel as domain 0."""
    os.environ["RADON_TEST_ON"] = options.on
    run_python(tally, "linux", "tests/linux", options.match)


STAGES = {"build": stage_build, "unit": stage_unit, "machine": stage_machine, "bench": stage_bench,
          "guest": stage_guest, "linux": stage_linux}
EXAMPLES = """examples:
  ./radon test                        everything
  ./radon test build unit             two stages
  ./radon test linux --on xen         do the tests themselves hold on Xen?
  ./radon test linux --match smp
  ./radon test linux --match endure --long
"""


def parser():
    top = Parser(prog="radon test", description="Run the tests; the last line has the counts.",
                 epilog=EXAMPLES)
    top.add_argument("stages", nargs="*", metavar="STAGE",
                     help="of %s; default: all" % ", ".join(STAGES))
    top.add_argument("--on", choices=("radon", "xen"), default="radon",
                     help="what the stages guest and linux run on (default: radon)")
    top.add_argument("--match", action="append", default=[], metavar="TEXT",
                     help="only tests of the stages machine, bench and linux with TEXT in their name")
    top.add_argument("--long", action="store_true",
                     help="tests that have a long form take it (hours: 10^8 entries by fast handlers)")
    return top


def run_stage(tally, name, options):
    before, started = dict(tally.counts), time.monotonic()
    try:
        STAGES[name](tally, options)
    except (RadonError, OSError) as error:
        tally.add(name, "stage", FAILED, time.monotonic() - started, str(error))
    counts = {verdict: tally.counts[verdict] - before[verdict] for verdict in before}
    if not sum(counts.values()):
        tally.add(name, "stage", FAILED, 0, "no test ran")
        counts[FAILED] = 1
    print("%s: %s: %s (%.0f s)" % ("FAIL" if counts[FAILED] else "ok", name, tally.line(counts),
                                   time.monotonic() - started), flush=True)


def main(argv):
    top = parser()
    options = top.parse_args(argv)
    for name in options.stages:
        if name not in STAGES:
            top.error("no stage %s: one of %s" % (name, " ".join(STAGES)))
    deps.ensure("build", "run", "test", "xen", "bench", "dom0", "trace")
    if options.long:
        os.environ["RADON_TEST_LONG"] = "1"
    tally = Tally()
    for name in options.stages or STAGES:
        run_stage(tally, name, options)
    print("\n".join(tally.remarkable + [tally.line()]), flush=True)
    failed = tally.counts[FAILED] or not tally.counts[PASSED]
    return EXIT_FAILED if failed else EXIT_OK
