# SPDX-License-Identifier: MIT
"""tracing/tracecompass/radon.xml: well-formed, it names events, fields and parts that exist, and its state machine
finds the hypercalls in a row of events.

    [TRACECOMPASS_XSD=DIR] python3 tests/tracing/test_tracecompass.py BUILD_DIR

DIR: Trace Compass's own schemas, xmlDefinition.xsd and what it includes; the file is held against them with xmllint.
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
SCHEMAS = os.environ.get("TRACECOMPASS_XSD", "")
FILE = os.path.join(ROOT, "tracing", "tracecompass", "radon.xml")
# Fields that Trace Compass makes of the packet, not of the event: of its cpu_id.
MADE = {"cpu"}
CTF = "org.eclipse.linuxtools.tmf.ui.type.ctf"


def matches(pattern, name):
    """Event names as Trace Compass compares them: a regular expression, but for *."""
    return re.fullmatch(pattern.replace("*", ".*"), name)


class Machine:
    """One fsm of a pattern, as Trace Compass runs it: each scenario is in a state and keeps attributes; one more
    waits in the first.  Those that began are asked first, and with `consuming` no other is once one took the event.
    Every segment that is made is kept as (name, fields)."""

    def __init__(self, pattern):
        handler = pattern.find("patternHandler")
        self.tests = {t.get("id"): t.find("if") for t in handler.findall("test")}
        self.actions = {a.get("id"): a for a in handler.findall("action")}
        self.fsm = handler.find("fsm")
        self.consuming = self.fsm.get("consuming", "true") == "true"
        self.final = self.fsm.find("final").get("id")
        self.began, self.segments = [], []

    def handle(self, event):
        consumed = False
        waiting = {"state": self.fsm.get("initial")}
        for scenario in self.began:
            consumed = self.step(scenario, event) or consumed
            if consumed and self.consuming:
                break
        if not (consumed and self.consuming) and self.step(waiting, event):
            self.began.append(waiting)
        self.began = [s for s in self.began if s["state"] != self.final]

    def step(self, scenario, event):
        state = next(s for s in self.fsm.findall("state") if s.get("id") == scenario["state"])
        for t in state.findall("transition"):
            if matches(t.get("event"), event["name"]) and self.test(t.get("cond"), scenario, event):
                self.act(t.get("action"), scenario, event)
                scenario["state"] = t.get("target")
                return True
        return False

    def test(self, name, scenario, event):
        if name is None:
            return True
        (both,) = self.tests[name]
        assert both.tag == "and" and all(c.tag == "condition" and not c.attrib for c in both)
        return all(self.value(c[0], scenario, event) == self.value(c[1], scenario, event) for c in both)

    def act(self, name, scenario, event):
        for what in self.actions[name] if name else ():
            if what.tag == "stateChange":
                scenario[self.attribute(what)] = self.value(what.find("stateValue"), scenario, event)
            else:
                self.segments.append((self.value(what.find("segType/segName/stateValue"), scenario, event),
                                      {f.get("name"): self.value(f.find("stateValue"), scenario, event)
                                       for f in what.iter("segField")}))

    @staticmethod
    def attribute(element):
        where, name = element.findall("stateAttribute")
        assert where.get("value") == "#CurrentScenario" and {where.get("type"), name.get("type")} == {"constant"}
        return name.get("value")

    def value(self, element, scenario, event):
        kind = element.get("type")
        if kind == "query":
            return scenario.get(self.attribute(element))
        return event["name"] if kind == "eventName" else event[element.get("value")]


class TraceCompass(unittest.TestCase):
    def setUp(self):
        self.tree = ElementTree.parse(FILE).getroot()

    def attributes(self, tag, name):
        return {e.get(name) for e in self.tree.iter(tag) if e.get(name)}

    def test_events(self):
        done = subprocess.run([os.path.join(BUILD, "tracing", "radon-trace"), "list"],
                              stdout=subprocess.PIPE, text=True, check=True)
        known = [line.split()[0] for line in done.stdout.splitlines()]
        used = self.attributes("eventHandler", "eventName") | self.attributes("transition", "event")
        self.assertGreater(len(used), 4)
        for pattern in used:
            self.assertTrue([n for n in known if matches(pattern, n)], pattern)
        self.assertEqual({n for n in known if n.startswith("runstate:")},
                         {n for n in used if n.startswith("runstate:")})

    def metadata(self):
        with tempfile.TemporaryDirectory() as tmp:
            recording = os.path.join(tmp, "a.bin")
            subprocess.run([os.path.join(BUILD, "tests", "unit", "make_recording"), recording], check=True)
            subprocess.run(["babeltrace2", "--plugin-path", os.path.join(BUILD, "tracing"), "-c",
                            "source.radon.trace", "-p", 'inputs=["%s"]' % recording, "-c", "sink.ctf.fs",
                            "-p", 'path="%s"' % os.path.join(tmp, "ctf")], stdout=subprocess.PIPE, check=True)
            with open(os.path.join(tmp, "ctf", "a.bin", "metadata"), encoding="utf-8") as file:
                return file.read()

    def fields_of(self, element):
        """The event fields that are used in it, with those of the locations that it names."""
        locations = {e.get("id"): e for e in self.tree.iter("location")}
        found = set()
        for e in element.iter():
            if e.get("type") == "eventField":
                found.add(e.get("value"))
            elif e.get("type") == "location":
                found |= self.fields_of(locations[e.get("value")])
        return found

    def test_fields(self):
        """Every event has the fields that its handler takes of it in the CTF that the plugin makes, as integers:
        a name that Trace Compass compares with a number must not be an enumeration."""
        metadata = self.metadata()
        context = re.search(r"event\.context := struct \{(.*?)\} align", metadata, re.S)[1]
        self.assertRegex(re.search(r"packet\.context := struct \{(.*?)\} align", metadata, re.S)[1],
                         r"integer \{[^}]*\} _cpu_id;")
        events = {name: fields for name, fields in
                  re.findall(r'event \{\s*name = "([^"]*)";.*?fields := struct \{(.*?)\} align', metadata, re.S)}
        seen = 0
        for handler in self.tree.iter("eventHandler"):
            used = self.fields_of(handler) - MADE
            self.assertTrue(used)
            for name in [n for n in events if matches(handler.get("eventName"), n)]:
                seen += 1
                for field in used:
                    self.assertRegex(events[name], r"integer \{[^}]*\} _%s;" % field, name)
        self.assertGreaterEqual(seen, 2)
        used = self.fields_of(self.tree.find("pattern"))
        self.assertEqual(len(used), 2)
        for field in used:
            self.assertTrue(field.startswith("context."), field)
            self.assertRegex(context, r"integer \{[^}]*\} %s;" % field[len("context."):])

    def test_hypercalls(self):
        """Two vCPUs at once, a hypercall that does not return, and one that leaves its vCPU blocked."""
        machine = Machine(self.tree.find("pattern"))
        for vcpu, name in ((0, "exit:hypercall"), (0, "hypercall:iret"), (1, "hypercall:mmu_update"),
                           (0, "hypercall:xen_version.version"), (0, "subcall:iret"), (1, "exit:hypercall"),
                           (0, "exit:hypercall"), (0, "exit:hypercall"), (0, "hypercall:iret"), (0, "hypercall:iret"),
                           (0, "hypercall:sched_op.block"), (1, "hypercall:sched_op.block"), (0, "exit:hypercall"),
                           (1, "exit:hypercall"), (1, "trap:nmi")):
            machine.handle({"name": name, "context._on_domain": 0, "context._on_vcpu": vcpu})
        self.assertEqual(machine.segments,
                         [(name, {"domain": 0, "vcpu": vcpu}) for name, vcpu in
                          (("hypercall:mmu_update", 1), ("hypercall:xen_version.version", 0),
                           ("hypercall:sched_op.block", 0), ("hypercall:sched_op.block", 1))])
        self.assertFalse(machine.began)

    def test_trace_types(self):
        for analysis in list(self.tree.iter("stateProvider")) + list(self.tree.iter("pattern")):
            self.assertEqual([t.get("id") for t in analysis.findall("head/traceType")], [CTF], analysis.get("id"))

    @unittest.skipUnless(SCHEMAS, "TRACECOMPASS_XSD does not say where the schemas are")
    def test_schema(self):
        done = subprocess.run(["xmllint", "--noout", "--schema", os.path.join(SCHEMAS, "xmlDefinition.xsd"), FILE],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

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
