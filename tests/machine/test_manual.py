# SPDX-License-Identifier: MIT
"""The manual page and bash's completion know what the commands know: their --help is the measure."""

import functools
import os
import re
import shutil
import subprocess
import unittest

from guest.machine.paths import ROOT

RADON = os.path.join(ROOT, "radon")
PAGE = os.path.join(ROOT, "docs", "radon.1.scd")
SUBCOMMANDS = (("bench", "compare"), ("bench", "report"))
COMPLETE = """source completion/radon.bash || exit
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_radon && printf '%s\\n' "${COMPREPLY[@]}"
"""


@functools.lru_cache(None)
def help_of(*command):
    environment = dict(os.environ, COLUMNS="1000")
    return subprocess.run([RADON, *command, "--help"], stdout=subprocess.PIPE, text=True, check=True,
                          env=environment).stdout


def commands():
    return re.findall(r"^  (\w+) ", help_of().split("commands:")[1].split("\n\n")[0], re.M)


def every_command():
    return [(name,) for name in commands()] + list(SUBCOMMANDS)


def options(*command):
    """The options that the line of usage names."""
    usage = help_of(*command).split("\n\n")[0]
    return set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", usage)) - {"-h"}


def complete(*words):
    done = subprocess.run(["bash", "-c", COMPLETE, "bash", RADON, *words], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.stderr:
        raise AssertionError(done.stderr)
    return {word for word in done.stdout.split("\n") if word}


class Completion(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(complete(""), set(commands()) | {"help", "--help", "--version"})
        self.assertEqual(complete("help", "r") & {"run", "bench"}, {"run"})

    def test_options(self):
        for command in every_command():
            with self.subTest(command):
                self.assertEqual(complete(*command, "-") - {"-h", "--help"}, options(*command))

    def test_values(self):
        self.assertEqual(complete("run", "--on", ""), {"radon", "native", "xen", "emulation"})
        self.assertEqual(complete("run", "--on", "xen", "--clock", "k"), {"kvm"})
        self.assertEqual(complete("run", "--kernel", ""), set())  # file names: bash's own
        self.assertIn("--clock", complete("run", "--net", ""))  # which takes no value

    def test_words(self):
        self.assertEqual(complete("bench", "c"), {"compare"})
        self.assertEqual(complete("test", "b"), {"build", "bench"})
        self.assertEqual(complete("test", "build", "u"), {"unit"})

    def test_silence(self):
        self.assertEqual(complete("run", "--", ""), set())  # the machine's command
        self.assertEqual(complete("nosuch", ""), set())


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(PAGE, encoding="utf-8") as file:
            cls.text = file.read()

    def section(self, *command):
        """The text under "# RADON COMMAND"."""
        parts = re.split(r"^# (.*)\n", self.text, flags=re.M)
        return dict(zip(parts[1::2], parts[2::2])).get(" ".join(("radon",) + command).upper(), "")

    def test_options(self):
        for command in every_command():
            with self.subTest(command):
                named = set(re.findall(r"^\*(--?[a-zA-Z][\w-]*)\*", self.section(*command), re.M))
                self.assertTrue(self.section(*command), "no section in docs/radon.1.scd")
                self.assertEqual(named, options(*command), "docs/radon.1.scd and --help")

    def test_commands(self):
        self.assertEqual(set(re.findall(r"^# RADON (\w+)$", self.text, re.M)),
                         {name.upper() for name in commands()})

    def test_it_is_a_manual_page(self):
        if not shutil.which("scdoc"):
            self.skipTest("no scdoc")
        with open(PAGE, "rb") as file:
            done = subprocess.run(["scdoc"], stdin=file, stdout=subprocess.PIPE, check=True)
        self.assertIn(b".TH \"radon\" \"1\"", done.stdout)


class Help(unittest.TestCase):
    def test_help_of_a_command(self):
        done = subprocess.run([RADON, "help", "bench", "compare"], stdout=subprocess.PIPE, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("usage: radon bench compare"), done.stdout)
