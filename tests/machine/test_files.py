# SPDX-License-Identifier: MIT
"""The stream of files that come back, and what becomes of one that is cut or damaged."""

import os
import stat
import tempfile
import unittest

from guest.machine import files


def one(data):
    return files.HEAD.pack(files.MAGIC, len(data)) + data


class Stream(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def take(self, stream, count):
        """(complaints, contents of the files that were written)."""
        if stream is not None:
            with open(os.path.join(self.directory, files.NAME), "wb") as file:
                file.write(stream)
        places = [os.path.join(self.directory, "out%d" % i) for i in range(count)]
        complaints = files.take(self.directory, [("/in%d" % i, p) for i, p in enumerate(places)])
        contents = []
        for place in places:
            contents.append(None)
            if os.path.exists(place):
                with open(place, "rb") as file:
                    contents[-1] = file.read()
        return complaints, contents

    def test_whole(self):
        data = [b"", b"RadonGet" * 3, bytes(range(256)) * 9000]
        self.assertEqual(self.take(b"".join(map(one, data)), 3), ([], data))

    def test_a_pipe_stays_one(self):
        path = os.path.join(self.directory, "out0")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        with open(os.path.join(self.directory, files.NAME), "wb") as file:
            file.write(one(b"abc"))
        self.assertEqual(files.take(self.directory, [("/in0", path)]), [])
        self.assertEqual(os.read(reader, 10), b"abc")
        self.assertTrue(stat.S_ISFIFO(os.stat(path).st_mode))

    def test_missing_one_does_not_hide_the_next(self):
        stream = files.HEAD.pack(files.MAGIC, files.MISSING) + one(b"x")
        complaints, contents = self.take(stream, 2)
        self.assertEqual(complaints, ["there is no file /in0 in the machine"])
        self.assertEqual(contents, [None, b"x"])

    def test_every_truncation_is_found(self):
        stream = one(b"abc") + one(b"defgh")
        for length in range(len(stream)):
            with self.subTest(length):
                complaints, contents = self.take(stream[:length], 2)
                self.assertTrue(complaints)
                self.assertIn(contents, ([None, None], [b"abc", None]))

    def test_damage(self):
        complaints, contents = self.take(b"?" + one(b"abc")[1:], 1)
        self.assertEqual(complaints, ["the stream of files is damaged before /in0"])
        self.assertEqual(contents, [None])

    def test_no_stream(self):
        self.assertEqual(self.take(None, 1), (["/in0 did not come"], [None]))
