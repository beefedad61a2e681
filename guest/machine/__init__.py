# SPDX-License-Identifier: MIT
"""Boots machines in QEMU: the hypervisor, Linux alone, Xen, or emulation inside Linux.

Programs import `guest.machine.machine` (Spec, Result, run_machine).
"""
