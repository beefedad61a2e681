# SPDX-License-Identifier: MIT
"""Frames on a shared console: what was sent comes out, whatever stands between."""

import random
import unittest

from guest.machine import frames

XEN_LINE = b"(XEN) d0v0: unhandled write of 0x~R12 to MSR~\r\n"


def decode(data, piece=4096):
    decoder = frames.Decoder()
    out = []
    for at in range(0, len(data), piece):
        out += decoder.feed(data[at : at + piece])
    return decoder, out + decoder.finish()


def stream(payloads):
    return b"".join(frames.encode(n, "o", payload) for n, payload in enumerate(payloads))


def some_payloads(count=20):
    source = random.Random(7)
    return [bytes(source.randrange(256) for _ in range(source.randrange(511)))
            for _ in range(count)]


class Frames(unittest.TestCase):
    def test_binary_exact(self):
        payloads = some_payloads()
        decoder, out = decode(stream(payloads))
        self.assertEqual([payload for _, payload in out], payloads)
        self.assertEqual((decoder.lost, decoder.log_bytes()), (0, b""))

    def test_any_piece_size(self):
        payloads = some_payloads(4)
        for piece in (1, 2, 3, 17, 700):
            with self.subTest(piece=piece):
                self.assertEqual([p for _, p in decode(stream(payloads), piece)[1]], payloads)

    def test_carriage_returns(self):
        payloads = some_payloads(4)
        out = decode(stream(payloads).replace(b"\n", b"\r\n"))[1]
        self.assertEqual([payload for _, payload in out], payloads)

    def test_messages_between(self):
        data = b"boot\r\n" + frames.encode(0, "o", b"one") + XEN_LINE + frames.encode(1, "e", b"two")
        decoder, out = decode(data + b"bye\n")
        self.assertEqual(out, [("o", b"one"), ("e", b"two")])
        self.assertEqual(decoder.log_bytes(), b"boot\r\n" + XEN_LINE + b"bye\n")
        self.assertEqual(decoder.lost, 0)

    def test_message_inside_a_frame_at_every_place(self):
        payload = bytes(range(90))
        whole = frames.encode(0, "o", payload)
        after = frames.encode(1, "o", b"next")
        for at in range(2, len(whole) - 1):
            with self.subTest(at=at):
                decoder, out = decode(whole[:at] + XEN_LINE + whole[at:] + after)
                self.assertEqual(out, [("o", payload), ("o", b"next")])
                self.assertEqual(decoder.lost, 0)

    def test_message_inside_byte_by_byte(self):
        payload = b"x" * 400
        whole = frames.encode(0, "o", payload)
        out = decode(whole[:300] + XEN_LINE + whole[300:] + frames.encode(1, "x", b"0"), 1)[1]
        self.assertEqual(out, [("o", payload), ("x", b"0")])

    def test_corrupt_frame_is_noticed(self):
        payloads = some_payloads(3)
        data = bytearray(stream(payloads))
        second = data.index(b"~R00000001")
        data[second + 40] ^= 1
        decoder, out = decode(bytes(data))
        self.assertEqual([payload for _, payload in out], [payloads[0], payloads[2]])
        self.assertEqual(decoder.lost, 1)

    def test_missing_frame_is_noticed(self):
        data = frames.encode(0, "o", b"a") + frames.encode(3, "o", b"d")
        decoder, out = decode(data)
        self.assertEqual((len(out), decoder.lost), (2, 2))

    def test_repeated_frame_is_taken_once(self):
        data = frames.encode(0, "o", b"a") * 2 + frames.encode(1, "o", b"b")
        self.assertEqual(decode(data)[1], [("o", b"a"), ("o", b"b")])

    def test_cut_off_at_the_end(self):
        whole = frames.encode(0, "o", b"abc")
        decoder, out = decode(whole[:-6])
        self.assertEqual(out, [])
        self.assertEqual(decoder.log_bytes(), whole[:-6])

    def test_text_that_only_looks_like_a_frame(self):
        data = b"~R~R~~R1234~ ~" * 50
        decoder, out = decode(data + frames.encode(0, "o", b"real"))
        self.assertEqual(out, [("o", b"real")])
        self.assertEqual(decoder.log_bytes(), data)
