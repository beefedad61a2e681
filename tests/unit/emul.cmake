# SPDX-License-Identifier: MIT
radon_unit_test(emul
    SOURCES tests/unit/test_emul.c tests/unit/native_run.c hv/x86/emul_ptwr.c
            hv/x86/decode.c hv/x86/decode_rows.c hv/x86/decode_args.c
            hv/x86/decode_operand.c)
