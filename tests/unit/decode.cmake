# SPDX-License-Identifier: MIT
radon_unit_test(decode
    SOURCES tests/unit/test_decode.c tests/unit/decode_oracle.c
            hv/x86/decode.c hv/x86/decode_rows.c hv/x86/decode_args.c
            hv/x86/decode_operand.c
    LIBS Zydis)
