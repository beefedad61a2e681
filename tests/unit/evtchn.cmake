# SPDX-License-Identifier: MIT
set(EVTCHN_SOURCES tests/unit/trace_shim.c hv/event/evtchn.c hv/event/evtchn_bind.c hv/event/evtchn_2l.c
    hv/event/evtchn_fifo.c hv/event/evtchn_send.c hv/event/event_domain.c)
radon_unit_test(evtchn SOURCES tests/unit/test_evtchn.c tests/unit/event_world.c ${EVTCHN_SOURCES})
radon_unit_test(evtchn_fifo SOURCES tests/unit/test_evtchn_fifo.c tests/unit/event_world.c
    ${EVTCHN_SOURCES} LIBS pthread)
