/* SPDX-License-Identifier: MIT */
#ifndef HV_LOGLEVEL_H
#define HV_LOGLEVEL_H

enum log_level { /* messages up to the level are printed */
    LOG_NONE,
    LOG_ERROR,
    LOG_WARNING,
    LOG_INFO,
    LOG_DEBUG, /* "all" is the same */
};

#define LOG_ERR  LOG_ERROR
#define LOG_WARN LOG_WARNING

#endif
