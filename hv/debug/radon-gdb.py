# SPDX-License-Identifier: MIT
"""gdb commands that know Radon's structures (docs/debugging.md shows a session).

  gdb build/hv/radon.elf -ex 'source hv/debug/radon-gdb.py' -ex 'target remote :1234'

radon-cpus       what each CPU runs and who waits for it
radon-vcpu       the vCPU of the selected thread (CPU), or radon-vcpu DOMAIN VCPU
radon-regs       its guest registers
radon-domains    domains and their vCPUs
radon-page MFN   owner, references and type of a frame
radon-walk VA    the page-table entries that the CPU's CR3 has for an address
radon-symbols F  symbols of a guest kernel: an ELF file, or a copy of its /proc/kallsyms

Everything is read from memory through the types in radon.elf's DWARF; nothing is changed.
"""
import os
import re
import struct
import tempfile

import gdb

HEADERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "include", "hv")


def macros(header, pattern):
    """Macros of one number each: DWARF at -g has none, so they are read from the header."""
    found = {}
    with open(os.path.join(HEADERS, header), encoding="utf-8") as file:
        for name, text in re.findall(r"^#define (%s)\s+([^/\n]+)" % pattern, file.read(), re.M):
            plain = re.sub(r"HV_UL|(?<=[0-9a-fA-F])UL\b", "", text).strip()
            if re.fullmatch(r"[0-9a-fA-FxX<() ]+", plain):
                found[name] = eval(plain)  # a number, or a shift of one
    return found


CONFIG = macros("config.h", r"[A-Z_0-9]+")
TYPES = {n: name[4:].lower().replace("_", " ") for name, n in macros("mm.h", r"PGT_\w+").items()}
FLAGS = {n: name[4:].lower() for name, n in
         macros("mm.h", r"PGS_(?:PINNED|VALID|ALLOC|HV|FOREIGN|FREE|DIRTY)").items()}
COUNT_SHIFT = macros("mm.h", "PGS_COUNT_ONE")["PGS_COUNT_ONE"].bit_length() - 1
TYPE_SHIFT = macros("mm.h", "PGS_TYPE_ONE")["PGS_TYPE_ONE"].bit_length() - 1
TYPE_COUNT = macros("mm.h", "PGS_TCOUNT_MASK")["PGS_TCOUNT_MASK"]
HOT_BITS = {n: name[4:].replace("ODD_", "").lower().replace("_", " ") for name, n in
            macros("vcpu_hot.h", r"HOT_\w+").items()}
STATES = ("running", "runnable", "blocked", "offline")  # enum vcpu_runstate_hv
PTE_ADDR = 0x000FFFFFFFFFF000
REGISTERS = ("rip", "rsp", "rflags", "cs", "ss", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
             "r9", "r10", "r11", "r12", "r13", "r14", "r15", "entry_vector", "error_code")


def value(expression):
    return gdb.parse_and_eval(expression)


def number(expression):
    return int(value(expression)) & (1 << 64) - 1


def pointer(address, type_name):
    return gdb.Value(address).cast(gdb.lookup_type(type_name).pointer())


def check_layout():
    """The script and the image belong together, or nothing that is printed can be trusted."""
    if gdb.lookup_type("struct page_info").sizeof != 32:
        raise gdb.GdbError("struct page_info is not what this script knows")
    if number("&__image_start") != CONFIG["HV_IMAGE_BASE"]:
        raise gdb.GdbError("this is not radon.elf")


def bits(word, names):
    return [name for mask, name in names.items() if word & mask]


def owner_name(v):
    if not int(v):
        return "nobody"
    if bool(v["is_idle"]):
        return "idle"
    return "d%dv%d" % (int(v["domain"]["id"]), int(v["id"]))


def cpu_of_thread():
    """struct cpu of the selected thread: QEMU numbers threads by CPU from 1."""
    thread = gdb.selected_thread()
    if thread is None:
        raise gdb.GdbError("no machine: target remote :1234 first")
    index = thread.num - 1
    if index >= int(value("nr_cpus")):
        raise gdb.GdbError("the hypervisor has not started CPU %d" % index)
    return value("cpus[%d]" % index)


def find_vcpu(args):
    words = gdb.string_to_argv(args)
    if not words:
        return cpu_of_thread()["curr"]
    if len(words) != 2:
        raise gdb.GdbError("DOMAIN VCPU, or nothing for the selected CPU's")
    domain, index = (int(word, 0) for word in words)
    d = value("domain_list")
    while int(d):
        if int(d["id"]) == domain:
            break
        d = d["next"]
    else:
        raise gdb.GdbError("no domain %d" % domain)
    if index >= int(d["nr_vcpus"]) or not int(d["vcpu"][index]):
        raise gdb.GdbError("domain %d has no vCPU %d" % (domain, index))
    return d["vcpu"][index]


def in_hypervisor():
    return CONFIG["VMAP_BASE"] <= number("$rsp") < CONFIG["VMAP_END"]


class Command(gdb.Command):
    """A command whose help is its docstring; run() prints."""

    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_STATUS)

    def invoke(self, args, from_tty):
        check_layout()
        self.run(args)


class Cpus(Command):
    """What each CPU runs and who waits for it."""

    def run(self, args):
        for i in range(int(value("nr_cpus"))):
            cpu, waiting = value("cpus[%d]" % i), []
            v = cpu["rq_head"]
            while int(v):
                waiting.append(owner_name(v))
                v = v["rq_next"]
            print("CPU %d (APIC %d): %s, state of %s, FPU of %s; waiting: %s; %d switches, %d interrupts"
                  % (i, int(cpu["apic_id"]), owner_name(cpu["curr"]), owner_name(cpu["state_owner"]),
                     owner_name(cpu["fpu_owner"]), " ".join(waiting) or "nobody",
                     int(cpu["switches"]), int(cpu["irqs"])))


class Vcpu(Command):
    """The vCPU of the selected thread (CPU), or of: radon-vcpu DOMAIN VCPU."""

    def run(self, args):
        v = find_vcpu(args)
        hot = v["hot"]
        flags = int(hot["flags"])
        print("%s: struct vcpu %#x, hot %#x, %s on CPU %d" % (
            owner_name(v), int(v), int(hot), STATES[int(v["state"])], int(hot["cpu"]["id"])))
        print("  flags %08x (%s)" % (flags, ", ".join(bits(flags, HOT_BITS)) or "user"))
        print("  kernel CR3 %#x, user CR3 %#x, kernel stack %#x" % (
            int(hot["kernel_cr3"]), int(hot["user_cr3"]), int(hot["kernel_sp"])))
        print("  syscall %#x, event callback %#x, failsafe %#x" % (
            int(hot["syscall_rip"]), int(v["event_cb"]["address"]), int(v["failsafe_cb"]["address"])))
        info = hot["info"]
        print("  events %s, %s" % ("pending" if int(info["evtchn_upcall_pending"]) else "not pending",
                                   "masked" if int(info["evtchn_upcall_mask"]) else "unmasked"))


class Regs(Command):
    """Guest registers: radon-regs [DOMAIN VCPU].

Of a vCPU that is in the hypervisor: the frame at the top of its stack.  Of one that runs in the
guest at this moment: its processor's own."""

    def run(self, args):
        v = find_vcpu(args)
        before, running = gdb.selected_thread(), STATES[int(v["state"])] == "running"
        if running:
            self.select_cpu(int(v["hot"]["cpu"]["id"]))
        try:
            if running and not in_hypervisor():
                print("%s runs in the guest; the registers of its processor:" % owner_name(v))
                gdb.execute("info registers rip rsp eflags cs ss rax rbx rcx rdx rsi rdi rbp r8 r9 r10 "
                            "r11 r12 r13 r14 r15 cr2 cr3")
            elif bool(v["is_idle"]):
                print("idle: no guest")
            else:
                self.show_frame(v)
        finally:
            before.switch()

    @staticmethod
    def select_cpu(number_of_cpu):
        for thread in gdb.selected_inferior().threads():
            if thread.num == number_of_cpu + 1:
                thread.switch()

    @staticmethod
    def show_frame(v):
        frame = gdb.lookup_type("struct cpu_user_regs")
        offset = next(f.bitpos // 8 for f in frame.fields() if f.name == "es")
        regs = pointer(int(v["hot"]) - offset, "struct cpu_user_regs")
        by_syscall = int(regs["entry_vector"]) == 0xFFFFFFFF
        print("%s: frame at %#x%s" % (owner_name(v), int(regs), "" if not by_syscall else
                                      " (in a hypercall: rbx, rbp and r12-r15 are not in it)"))
        for i in range(0, len(REGISTERS), 4):
            print("  " + "  ".join("%-12s %016x" % (name, int(regs[name]) & (1 << 64) - 1)
                                   for name in REGISTERS[i:i + 4]))


class Domains(Command):
    """Domains and their vCPUs."""

    def run(self, args):
        d = value("domain_list")
        while int(d):
            mm = d["mm"]
            limit = int(mm["max_pages"])
            print("domain %d \"%s\"%s%s%s: %d pages%s, struct domain %#x" % (
                int(d["id"]), d["name"].string(), ", privileged" if d["privileged"] else "",
                ", shut down" if d["is_shutdown"] else "", ", dying" if d["dying"] else "",
                int(mm["tot_pages"]), " of at most %d" % limit if limit + 1 < 1 << 64 else "", int(d)))
            for i in range(int(d["nr_vcpus"])):
                v = d["vcpu"][i]
                if int(v):
                    print("  v%d %s on CPU %d, %s" % (i, STATES[int(v["state"])], int(v["hot"]["cpu"]["id"]),
                                                      "in kernel" if int(v["hot"]["flags"]) & 1 else "in user"))
            d = d["next"]


class Page(Command):
    """Owner, references and type of a frame: radon-page MFN (or an address in the direct map)."""

    def run(self, args):
        if not args:
            raise gdb.GdbError("radon-page MFN")
        mfn = number(args)
        if CONFIG["DIRECTMAP_BASE"] <= mfn < CONFIG["DIRECTMAP_END"]:
            mfn = (mfn - CONFIG["DIRECTMAP_BASE"]) >> 12
        if mfn >= number("max_mfn"):
            raise gdb.GdbError("no such frame: they end at %#x" % number("max_mfn"))
        page = pointer(CONFIG["FRAME_TABLE"] + mfn * 32, "struct page_info")
        state = int(page["state"]) & (1 << 64) - 1
        m2p = int(pointer(CONFIG["RW_M2P_BASE"] + mfn * 8, "unsigned long").dereference())
        print("mfn %#x: page_info %#x, owner %s, M2P %s" % (
            mfn, int(page), self.owner(page["owner"]), "none" if m2p == (1 << 64) - 1 else hex(m2p)))
        print("  state %016x: %d references, %d of type %s%s" % (
            state, state >> COUNT_SHIFT, (state & TYPE_COUNT) >> TYPE_SHIFT, TYPES[state & 7],
            "".join(", " + name for name in bits(state, FLAGS))))

    @staticmethod
    def owner(d):
        for name in ("dom_io", "dom_xen"):
            if int(d) == number("&" + name):
                return name
        return "domain %d" % int(d["id"]) if int(d) else "nobody"


class Walk(Command):
    """The page-table entries for an address: radon-walk VA [CR3]."""

    def run(self, args):
        words = gdb.string_to_argv(args)
        if not words:
            raise gdb.GdbError("radon-walk VA [CR3]")
        va = number(words[0])
        table = (number(words[1]) if len(words) > 1 else number("$cr3")) & PTE_ADDR
        for level in (4, 3, 2, 1):
            index = va >> (12 + 9 * (level - 1)) & 511
            entry = int(pointer(CONFIG["DIRECTMAP_BASE"] + table + 8 * index, "unsigned long").dereference())
            print("  L%d %#x[%d] = %016x" % (level, table >> 12, index, entry))
            if not entry & 1 or (entry & 0x80 and 1 < level < 4):
                break
            table = entry & PTE_ADDR


def elf_of_symbols(symbols):
    """An ELF file with nothing but function symbols: [(address, name)], sorted."""
    base, end = symbols[0][0], symbols[-1][0] + 4096
    strings, table = bytearray(b"\0"), bytearray(24)
    for (address, name), (following, _) in zip(symbols, symbols[1:] + [(end, "")]):
        table += struct.pack("<IBBHQQ", len(strings), 0x12, 0, 1, address, following - address)
        strings += name.encode() + b"\0"
    names = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    at_table = 64
    at_strings = at_table + len(table)
    at_names = at_strings + len(strings)
    at_headers = at_names + len(names)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, at_headers, 0, 64, 0, 0, 64, 5, 4)

    def section(name, kind, flags, address, offset, size, link=0, info=0, align=1, entry=0):
        return struct.pack("<IIQQQQIIQQ", names.index(name), kind, flags, address, offset, size, link,
                           info, align, entry)

    headers = bytes(64)
    headers += section(b".text\0", 8, 6, base, 64, end - base)  # NOBITS, allocated, executable
    headers += section(b".symtab\0", 2, 0, 0, at_table, len(table), 3, 1, 8, 24)
    headers += section(b".strtab\0", 3, 0, 0, at_strings, len(strings))
    headers += section(b".shstrtab\0", 3, 0, 0, at_names, len(names))
    return header + bytes(table) + bytes(strings) + names + headers


class Symbols(Command):
    """Symbols of a guest kernel: radon-symbols FILE.

FILE is an ELF file linked where it runs (build/tests/guest/NAME.elf), or a copy of the guest's
/proc/kallsyms as its root sees it."""

    def run(self, args):
        words = gdb.string_to_argv(args)
        if len(words) != 1:
            raise gdb.GdbError("radon-symbols FILE")
        path = os.path.expanduser(words[0])
        with open(path, "rb") as file:
            if file.read(4) == b"\x7fELF":
                gdb.execute("add-symbol-file '%s'" % path)
                return
        symbols = sorted(self.kallsyms(path))
        if not symbols:
            raise gdb.GdbError("%s has no text symbols with addresses (read it as root)" % path)
        with tempfile.NamedTemporaryFile(suffix=".elf", delete=False) as out:
            out.write(elf_of_symbols(symbols))
        try:
            gdb.execute("add-symbol-file '%s'" % out.name)
        finally:
            os.unlink(out.name)
        print("%d symbols" % len(symbols))

    @staticmethod
    def kallsyms(path):
        """Text symbols of the kernel itself; modules come and go."""
        seen = {}
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) == 3 and words[1] in "tTwW" and int(words[0], 16):
                    seen.setdefault(int(words[0], 16), words[2])
        return seen.items()


for cls, name in ((Cpus, "radon-cpus"), (Vcpu, "radon-vcpu"), (Regs, "radon-regs"),
                  (Domains, "radon-domains"), (Page, "radon-page"), (Walk, "radon-walk"),
                  (Symbols, "radon-symbols")):
    cls(name)
