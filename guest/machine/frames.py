# SPDX-License-Identifier: MIT
"""Takes a command's output out of a console (the format is described in guest/init/frame.h).

The console is shared: a message of the kernel or the hypervisor may stand between two frames, or cut
one frame in two. A cut frame is mended by leaving out the run of bytes that makes its check sum fit.
"""

import base64
import re
import zlib

START, END = b"~R", b"~"
HEAD_LEN = 2 + 8 + 1 + 4 + 1
TAIL_LEN = 1 + 8 + 1
BASE64_MAX = 680
FRAME_MAX = HEAD_LEN + BASE64_MAX + TAIL_LEN
INSERT_MAX = 8192  # bytes of foreign text that one frame may be cut by
FRAME = re.compile(rb"~R([0-9a-f]{8})([a-z])([0-9a-f]{4}):([A-Za-z0-9+/=]*):([0-9a-f]{8})~")
TAIL = re.compile(rb":[A-Za-z0-9+/=]*:[0-9a-f]{8}~$")


def encode(sequence, kind, payload):
    """One frame as /init writes it (for tests)."""
    text = base64.b64encode(payload).decode()
    body = "%08x%s%04x:%s:" % (sequence, kind, len(text), text)
    return ("~R%s%08x~\n" % (body, zlib.crc32(body.encode()))).encode()


def parse(text):
    """(sequence, kind, payload) of exactly one whole frame, or None."""
    found = FRAME.fullmatch(text)
    if not found or len(found[4]) != int(found[3], 16):
        return None
    if zlib.crc32(text[2 : len(text) - 9]) != int(found[5], 16):
        return None
    return int(found[1], 16), found[2].decode(), base64.b64decode(found[4])


def mend(text):
    """Like parse, of a frame with one run of foreign bytes somewhere after its "~R"."""
    head = re.match(rb"~R[0-9a-f]{8}[a-z]([0-9a-f]{4}):", text)
    if head:
        excess = [len(text) - (HEAD_LEN + int(head[1], 16) + TAIL_LEN)]
        first = HEAD_LEN
    elif TAIL.search(text):
        excess = range(1, len(text) - HEAD_LEN - TAIL_LEN + 1)
        first = 2
    else:
        return None  # cut in the head, it would still have its tail
    for extra in excess:
        if extra <= 0:
            continue
        last = HEAD_LEN if not head else len(text) - extra
        for at in range(first, last + 1):
            frame = parse(text[:at] + text[at + extra :])
            if frame:
                return frame
    return None


class Decoder:
    """Fed with the console as it comes; hands out frames in order and keeps the rest as the log."""

    def __init__(self):
        self.pending = b""
        self.log = []
        self.expected = 0
        self.lost = 0  # frames that were sent and did not come whole

    def feed(self, data):
        """The frames completed by data: list of (kind, payload)."""
        self.pending += data
        return self._take(final=False)

    def finish(self):
        """At the end of the console: the frames in what was held back."""
        return self._take(final=True)

    def log_bytes(self):
        return b"".join(self.log)

    def _take(self, final):
        frames = []
        while True:
            start = self.pending.find(START)
            if start < 0:
                keep = 1 if not final and self.pending.endswith(b"~") else 0
                self._pass(len(self.pending) - keep)
                return frames
            self._pass(start)
            taken = self._one_frame(final)
            if taken is None:
                return frames
            frames += taken

    def _pass(self, length):
        """What is no frame belongs to the log."""
        if length:
            self.log.append(self.pending[:length])
            self.pending = self.pending[length:]

    def _one_frame(self, final):
        """The frame at the start of pending as a list, [] when there is none, None to wait."""
        limit = FRAME_MAX + INSERT_MAX
        end = self.pending.find(END, len(START))
        while 0 <= end < limit:
            text = self.pending[: end + 1]
            inner = text.rfind(START, 1)
            if inner > 0 and parse(text[inner:]):
                self._pass(inner)  # a whole frame after it: what began before was none
                text = text[inner:]
            frame = parse(text) or mend(text)
            if frame:
                return self._accept(frame, text)
            end = self.pending.find(END, end + 1)
        if len(self.pending) < limit and not final:
            return None
        self._pass(len(START))
        return []

    def _accept(self, frame, text):
        sequence, kind, payload = frame
        length = len(text)
        if self.pending[length : length + 1] == b"\n":
            length += 1
        elif self.pending[length : length + 2] == b"\r\n":
            length += 2
        if not FRAME.fullmatch(text):
            self.log.append(text + b"\n")
        self.pending = self.pending[length:]
        if sequence < self.expected:
            return []
        self.lost += sequence - self.expected
        self.expected = sequence + 1
        return [(kind, payload)]
