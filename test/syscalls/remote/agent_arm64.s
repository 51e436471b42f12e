// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// Offsets in slot.
#define slot_nr         0
#define slot_args       8
#define slot_ret        56
#define slot_state      64
#define slot_childCtl   72
#define slot_childSlot  80
#define slot_bell       88

#define SYS_read        63
#define SYS_write       64
#define SYS_exit        93
#define SYS_sigreturn   139

// func serve(ctl, slot uintptr)
//
// R19 is the control socket, R20 the slot, R23 the address of its state. Nothing else
// is kept from one system call to the next, so that the child of a clone can continue
// with its own.
//
// Each change of the slot's state, which the test may read while the thread runs,
// releases the writes to the slot. The socket orders the rest.
TEXT ·serve(SB), NOSPLIT, $0-16
	MOVD	ctl+0(FP), R19
	MOVD	slot+8(FP), R20

next:
	ADD	$slot_state, R20, R23

read:
	MOVD	$SYS_read, R8
	MOVD	R19, R0
	ADD	$slot_bell, R20, R1
	MOVD	$1, R2
	SVC
	CMN	$4, R0 // EINTR
	BEQ	read
	CMP	$1, R0
	BNE	gone

	// A clone's child must not read its parent's slot, which may hold the
	// next system call by then.
	MOVD	slot_childCtl(R20), R21
	MOVD	slot_childSlot(R20), R22

	MOVD	$1, R0
	STLR	R0, (R23)
	MOVD	slot_nr(R20), R8
	MOVD	(slot_args+0)(R20), R0
	MOVD	(slot_args+8)(R20), R1
	MOVD	(slot_args+16)(R20), R2
	MOVD	(slot_args+24)(R20), R3
	MOVD	(slot_args+32)(R20), R4
	MOVD	(slot_args+40)(R20), R5
	SVC

	CBNZ	R0, done
	CBZ	R22, done

	// This is a clone's child.
	MOVD	R21, R19
	MOVD	R22, R20
	JMP	next

done:
	MOVD	R0, slot_ret(R20)
	MOVD	$2, R0
	STLR	R0, (R23)
	MOVD	$SYS_write, R8
	MOVD	R19, R0
	ADD	$slot_bell, R20, R1
	MOVD	$1, R2
	SVC
	JMP	read

gone:
	MOVD	$SYS_exit, R8
	MOVD	$0, R0
	SVC
	BRK

// A signal handler that does nothing, and what it returns to.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0-0
	RET

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD	$SYS_sigreturn, R8
	SVC
	BRK

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
