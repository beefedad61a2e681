# SPDX-License-Identifier: MIT
"""tracing/tracecompass/radon.xml: well-formed, and it names events, fields and parts that exist.

    python3 tests/tracing/test_tracecompass.py BUILD_DIR
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = ""
# Fields that Trace Compass makes of the packet, not of the event.
MADE = {"cpu"}


class TraceCompass(unittest.TestCase):
    def setUp(self):
        self.tree = ElementTree.parse(os.path.join(ROOT, "tracing", "tracecompass", "radon.xml")).getroot()

    def attributes(self, tag, name):
        return {e.get(name) for e in self.tree.iter(tag) if e.get(name)}

    def test_events(self):
        done = subprocess.run([os.path.join(BUILD, "tracing", "radon-trace"), "list"],
                              stdout=subprocess.PIPE, text=True, check=True)
        known = [line.split()[0] for line in done.stdout.splitlines()]
        used = self.attributes("eventHandler", "eventName") | self.attributes("transition", "event")
        self.assertGreater(len(used), 4)
        for pattern in used:
            regex = re.escape(pattern).replace(r"\*", ".*")
            self.assertTrue([n for n in known if re.fullmatch(regex, n)], pattern)
        self.assertEqual({n for n in known if n.startswith("runstate:")},
                         {n for n in used if n.startswith("runstate:")})

    def test_fields(self):
        """Every event field is one of the CTF that the plugin makes."""
        with tempfile.TemporaryDirectory() as tmp:
            recording = os.path.join(tmp, "a.bin")
            subprocess.run([os.path.join(BUILD, "tests", "unit", "make_recording"), recording], check=True)
            subprocess.run(["babeltrace2", "--plugin-path", os.path.join(BUILD, "tracing"), "-c",
                            "source.radon.trace", "-p", 'inputs=["%s"]' % recording, "-c", "sink.ctf.fs",
                            "-p", 'path="%s"' % os.path.join(tmp, "ctf")], stdout=subprocess.PIPE, check=True)
            with open(os.path.join(tmp, "ctf", "a.bin", "metadata"), encoding="utf-8") as file:
                metadata = file.read()
        context = re.search(r"event\.context := struct \{(.*?)\} align", metadata, re.S)[1]
        running = re.search(r'name = "runstate:running";.*?fields := struct \{(.*?)\} align', metadata, re.S)[1]
        fields = {e.get("value") for tag in ("stateAttribute", "stateValue") for e in self.tree.iter(tag)
                  if e.get("type") == "eventField"}
        for name in fields - MADE:
            if name.startswith("context."):
                self.assertRegex(context, r"\b%s;" % name[len("context."):])
            else:
                self.assertRegex(running, r"\b_%s;" % name)

    def test_references(self):
        values = self.attributes("definedValue", "name")
        self.assertEqual({v[1:] for v in self.attributes("stateValue", "value") if v.startswith("$")}, values)
        self.assertLessEqual({e.get("value") for e in self.tree.iter("stateAttribute") if e.get("type") == "location"},
                             self.attributes("location", "id"))
        self.assertLessEqual(self.attributes("transition", "action"), self.attributes("action", "id"))
        self.assertLessEqual(self.attributes("transition", "cond"), self.attributes("test", "id"))
        states = self.attributes("state", "id") | self.attributes("final", "id")
        self.assertLessEqual(self.attributes("transition", "target") | self.attributes("fsm", "initial"), states)
        providers = self.attributes("stateProvider", "id") | self.attributes("pattern", "id")
        self.assertLessEqual(self.attributes("analysis", "id"), providers)


if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    if not os.path.exists(os.path.join(BUILD, "tracing", "babeltrace-plugin-radon.so")):
        print("skipped: the babeltrace2 plugin is not there")
        sys.exit(77)
    unittest.main()
