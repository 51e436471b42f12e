// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// Offsets in slot and Call.
#define slot_posted     0
#define slot_state      4
#define slot_n          8
#define slot_childSlot  16
#define slot_calls      64
#define call_nr         0
#define call_args       8
#define call_ret        56
#define call_size       64

#define SYS_futex       98
#define SYS_sigreturn   139
#define SYS_clone       220

// loop serves the slot in R20. It keeps no other state between posts, so the child of a
// clone can serve a slot of its own just by changing it.
//
// Loading slot_posted acquires what the controller posted. Storing slot_state releases
// the results.
TEXT loop<>(SB), NOSPLIT|NOFRAME, $0-0
next:
	ADD	$slot_posted, R20, R23

take:
	LDAXRW	(R23), R1
	STLXRW	ZR, (R23), R2
	CBNZW	R2, take
	CBNZW	R1, posted
	MOVD	$SYS_futex, R8
	MOVD	R23, R0
	MOVD	$0, R1 // FUTEX_WAIT
	MOVD	$0, R2 // sleep only while nothing is posted
	MOVD	$0, R3
	SVC
	JMP	take

posted:
	ADD	$slot_state, R20, R24
	MOVD	$1, R0
	STLRW	R0, (R24)
	MOVD	slot_n(R20), R21
	MOVD	slot_childSlot(R20), R22
	ADD	$slot_calls, R20, R19

call:
	MOVD	call_nr(R19), R8
	MOVD	(call_args+0)(R19), R0
	MOVD	(call_args+8)(R19), R1
	MOVD	(call_args+16)(R19), R2
	MOVD	(call_args+24)(R19), R3
	MOVD	(call_args+32)(R19), R4
	MOVD	(call_args+40)(R19), R5
	SVC
	CBNZ	R0, returned
	CBZ	R22, returned

	// This is a clone's child. It must not access its parent's slot, which may already
	// hold the next calls.
	MOVD	R22, R20
	JMP	next

returned:
	MOVD	R0, call_ret(R19)
	ADD	$call_size, R19
	SUB	$1, R21
	CBNZ	R21, call
	MOVD	$2, R0
	STLRW	R0, (R24)
	JMP	take

// func fork(flags, stack, slot uintptr) uintptr
//
// The child serves slot.
TEXT ·fork(SB), NOSPLIT, $0-32
	MOVD	flags+0(FP), R0
	MOVD	stack+8(FP), R1
	MOVD	$0, R2
	MOVD	$0, R3
	MOVD	$0, R4
	MOVD	slot+16(FP), R20
	MOVD	$SYS_clone, R8
	SVC
	CBZ	R0, child
	MOVD	R0, ret+24(FP)
	RET
child:
	JMP	loop<>(SB)

// handler is a signal handler that does nothing. It returns to restorer.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0-0
	RET

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD	$SYS_sigreturn, R8
	SVC
	BRK

// func codeAddress() uintptr
TEXT ·codeAddress(SB), NOSPLIT, $0-8
	MOVD	$loop<>(SB), R0
	MOVD	R0, ret+0(FP)
	RET

// func handlerAddress() uintptr
TEXT ·handlerAddress(SB), NOSPLIT, $0-8
	MOVD	$handler<>(SB), R0
	MOVD	R0, ret+0(FP)
	RET

// func restorerAddress() uintptr
TEXT ·restorerAddress(SB), NOSPLIT, $0-8
	MOVD	$restorer<>(SB), R0
	MOVD	R0, ret+0(FP)
	RET
