# SPDX-License-Identifier: MIT
"""The checks of the tree see what they are there for."""

import os
import subprocess
import tempfile
import unittest

from tests.checks import files, includes, text


def found(module, known):
    """(path, line) of each fault."""
    return [(path, line) for path, line, _ in module.check(known)]


class Includes(unittest.TestCase):
    def test_cycles(self):
        known = {"hv/a.h": '#include "b.h"\n', "hv/b.h": '\n#include "mm/c.h"\n',
                 "hv/mm/c.h": '\n\n  # include "../d.h"\n', "hv/d.h": ""}
        self.assertEqual(found(includes, known), [])
        known["hv/d.h"] = '/* why */\n#include "a.h"\n'
        self.assertEqual(found(includes, known), [("hv/d.h", 2)])
        self.assertIn("hv/a.h > hv/b.h > hv/mm/c.h > hv/d.h > hv/a.h", includes.check(known)[0][2])
        self.assertEqual(found(includes, {"hv/self.h": '#include "self.h"'}), [("hv/self.h", 1)])

    def test_a_diamond_is_no_cycle(self):
        known = {"hv/a.c": '#include "b.h"\n#include "c.h"', "hv/b.h": '#include "d.h"',
                 "hv/c.h": '#include "d.h"', "hv/d.h": ""}
        self.assertEqual(found(includes, known), [])

    def test_directions(self):
        rows = (  # includer, name, the file that is there, allowed
            ("hv/x86/a.c", "hv/b.h", "hv/include/hv/b.h", True),
            ("hv/x86/a.c", "../../tracing/events.def", "tracing/events.def", True),
            ("hv/x86/a.c", "../../bench/bench.h", "bench/bench.h", False),
            ("hv/x86/a.c", "../../tests/unit/b.h", "tests/unit/b.h", False),
            ("hv/include/hv/a.h", "mm/mm_int.h", "hv/mm/mm_int.h", False),
            ("fastpath/core/a.c", "b.h", "fastpath/core/b.h", True),
            ("fastpath/core/a.c", "hv/b.h", "hv/include/hv/b.h", False),
            ("fastpath/load/a.c", "isa.h", "fastpath/core/isa.h", True),
            ("bench/src/a.c", "../../hv/include/hv/b.h", "hv/include/hv/b.h", False),
            ("bench/src/a.c", "../../hv/include/public/b.h", "hv/include/public/b.h", True),
            ("tests/unit/a.c", "hv/b.h", "hv/include/hv/b.h", True),
            ("tracing/events.def", "b.h", "tracing/b.h", False),
            ("tracing/a.c", "hv/hypercalls.def", "hv/include/public/hypercalls.def", True),
            ("tracing/a.c", "hv/hypercalls.h", "hv/include/hv/hypercalls.h", False),
        )
        for includer, name, target, allowed in rows:
            with self.subTest(includer + " " + target):
                known = {includer: '#include "%s"\n' % name, target: ""}
                self.assertEqual(found(includes, known), [] if allowed else [(includer, 1)])

    def test_libraries(self):
        for path, name, allowed in (
                ("hv/mm/a.c", "stdint.h", True), ("hv/mm/a.c", "xen/xen.h", True),
                ("hv/mm/a.c", "stdio.h", False), ("hv/mm/a.c", "linux/types.h", False),
                ("fastpath/core/a.c", "xen/xen.h", False), ("fastpath/core/a.c", "stdlib.h", False),
                ("hv/boot/unpack_x.c", "zlib.h", True), ("bench/src/a.c", "stdio.h", True)):
            with self.subTest(path + " " + name):
                known = {path: "#include <%s>\n" % name}
                self.assertEqual(found(includes, known), [] if allowed else [(path, 1)])

    def test_exceptions_are_needed(self):
        known = files.tracked()
        for path, name in includes.EXCEPTIONS:
            self.assertIn(name, [include[1] for include in includes.includes(known[path])])


class Text(unittest.TestCase):
    def check(self, line, bad):
        source = "/* SPDX-License-Identifier: MIT */\n\n%s\n" % line
        self.assertEqual(found(text, {"a.c": source}), [("a.c", 3)] if bad else [], line)

    def test_notes(self):
        for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X"):
            self.check("/* %s: later */" % word, True)
        self.check("mktemp -t XXXXXX; TODOS", False)

    def test_paths(self):
        for folder in ("work", "farm", "home"):
            self.check('open("/%s/me/tree");' % folder, True)
            self.check("cd /%s" % folder, True)
            self.check("build/%s/x and $D/%s/x and a/%s" % (folder, folder, folder), False)
            self.check("/%saround" % folder, False)

    def test_licence(self):
        line = "SPDX-License-Identifier: MIT\n"
        good = {"a.c": "/* %s */" % line, "b.py": "#!/usr/bin/python3\n# " + line, "c.md": "",
                "d.scd": "title\n\n; " + line}
        self.assertEqual(found(text, {path: body.replace("\n */", " */") for path, body in good.items()}),
                         [])
        bad = {"a.c": "int a;\n", "b.sh": "#!/bin/sh\n\n\n# " + line, "c.cmake": "# " + line[:-4]}
        self.assertEqual(found(text, bad), [(path, 1) for path in sorted(bad)])


class Files(unittest.TestCase):
    def test_tracked(self):
        with tempfile.TemporaryDirectory(prefix="radon-") as directory:
            for name, data in (("a.c", b"a"), ("b.bin", b"\0"), ("c.c", b"c"), ("d.c", b"d")):
                with open(os.path.join(directory, name), "wb") as file:
                    file.write(data)
            for command in (["init", "-q"], ["add", "a.c", "b.bin", "c.c"]):
                subprocess.run(["git", "-C", directory, *command], check=True)
            os.remove(os.path.join(directory, "c.c"))
            self.assertEqual(files.tracked(directory), {"a.c": "a"})

    def test_the_tree_is_seen(self):
        known = files.tracked()
        self.assertGreater(len(known), 300)
        edges = includes.graph(known)
        self.assertGreater(sum(map(len, edges.values())), 500)
