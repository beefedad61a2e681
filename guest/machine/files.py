# SPDX-License-Identifier: MIT
"""Files that a machine sends back when its command has ended (the format is in guest/init/files.c).

They come through a virtio-serial port that QEMU writes to a file.
"""

import os
import struct

PORT = "radon.files"
MAGIC = b"RadonGet"
HEAD = struct.Struct("<8sQ")
MISSING = 2**64 - 1
NAME = "files"  # of the stream, in the directory of one boot


def arguments(directory):
    """QEMU's, for the port and its stream."""
    return ["-device", "virtio-serial-pci", "-chardev",
            "file,id=files,path=" + os.path.join(directory, NAME).replace(",", ",,"),
            "-device", "virtserialport,chardev=files,name=" + PORT]


def _one(stream, size, inside, outside):
    """Takes the next file out of the stream; what is wrong with it, or ''."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return "%s did not come" % inside
    magic, length = HEAD.unpack(head)
    if magic != MAGIC:
        return "the stream of files is damaged before %s" % inside
    if length == MISSING:
        return "there is no file %s in the machine" % inside
    if stream.tell() + length > size:
        return "%s did not come whole" % inside
    # What is there and is a device or a pipe stays one.
    in_place = os.path.exists(outside) and not os.path.isfile(outside)
    target = outside if in_place else "%s.%d" % (outside, os.getpid())
    with open(target, "wb") as file:
        left = length
        while left:
            part = stream.read(min(left, 1 << 20))
            file.write(part)
            left -= len(part)
    if not in_place:
        os.replace(target, outside)
    return ""


def take(directory, gets):
    """Writes every (path inside, path on the host) that came; the complaints, one a file."""
    path = os.path.join(directory, NAME)
    if not os.path.exists(path):
        return ["%s did not come" % inside for inside, _ in gets]
    complaints = []
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        for inside, outside in gets:
            complaint = _one(stream, size, inside, outside)
            if complaint:
                complaints.append(complaint)
    return complaints
