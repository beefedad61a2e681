/* SPDX-License-Identifier: MIT */
/*
 * The handlers of radon_op's commands (hv/include/hv/radon_ops.def), each in its subsystem.  They get a copy of
 * the caller's structure; what they change in it reaches the caller if they return 0 or more.
 */
#ifndef HV_RADON_OP_H
#define HV_RADON_OP_H

#include "hv/types.h"
#include "public/radon.h"

#define RADON_OP(command, structure, handler, who) int handler(struct radon_##structure *op);
#include "hv/radon_ops.def"
#undef RADON_OP

#endif
