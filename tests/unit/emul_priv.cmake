# SPDX-License-Identifier: MIT
radon_unit_test(emul_priv
    SOURCES tests/unit/test_emul_priv.c tests/unit/toy_machine.c
            hv/x86/emul.c hv/x86/emul_io.c hv/x86/emul_priv.c
            hv/x86/decode.c hv/x86/decode_rows.c hv/x86/decode_args.c hv/x86/decode_operand.c)
radon_unit_test(emul_io
    SOURCES tests/unit/test_emul_io.c tests/unit/toy_machine.c
            hv/x86/emul.c hv/x86/emul_io.c hv/x86/emul_priv.c
            hv/x86/decode.c hv/x86/decode_rows.c hv/x86/decode_args.c hv/x86/decode_operand.c)
