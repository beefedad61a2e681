/* SPDX-License-Identifier: MIT */
#ifndef TEST_TRACE_OWN_CASES_H
#define TEST_TRACE_OWN_CASES_H

/* entries.c */
void each_event(void);
void other_system_calls(void);
/* events.c */
void other_events(void);
void sizes_of_arguments(void);
/* modes.c */
void filters(void);
void beside_xens(void);
void flight(void);
void resizing(void);
/* profile.c */
void profile_sources(void);
/* reader.c */
void slow_reader(void);

#endif
