/* SPDX-License-Identifier: MIT */
/*
 * The 2-level ABI: pending and mask bits of 4096 ports in shared_info, a selector word and the
 * pending flag in vcpu_info.
 */
#include "evtchn.h"

/* The selector's bit comes after the port's: the guest clears in the opposite order. */
static void select_word(struct evtchn *chn)
{
    struct vcpu *v = READ_ONCE(chn->vcpu);

    if (!test_and_set_bit(chn->port / 64, &v->hot->info->evtchn_pending_sel))
        event_mark_pending(v);
}

void evtchn_2l_raise(struct domain *d, struct evtchn *chn)
{
    shared_info_t *s = d->shared;

    if (test_and_set_bit(chn->port, s->evtchn_pending))
        return;
    if (!test_bit(chn->port, s->evtchn_mask))
        select_word(chn);
    event_check_pollers(d, chn->port);
}

void evtchn_2l_unmask(struct domain *d, struct evtchn *chn)
{
    shared_info_t *s = d->shared;

    if (test_and_clear_bit(chn->port, s->evtchn_mask) && test_bit(chn->port, s->evtchn_pending))
        select_word(chn);
}
