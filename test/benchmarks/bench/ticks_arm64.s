// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func ticks() uint64
//
// The barrier keeps the counter from being read early.
TEXT ·ticks(SB), NOSPLIT, $0-8
	ISB	$15
	MRS	CNTVCT_EL0, R0
	MOVD	R0, ret+0(FP)
	RET
