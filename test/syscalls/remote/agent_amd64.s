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

#define SYS_read        0
#define SYS_write       1
#define SYS_sigreturn   15
#define SYS_exit        60

// func serve(ctl, slot uintptr)
//
// R12 is the control socket, R13 the slot. Nothing else is kept from one system
// call to the next, so that the child of a clone can continue with its own.
TEXT ·serve(SB), NOSPLIT, $0-16
	MOVQ	ctl+0(FP), R12
	MOVQ	slot+8(FP), R13

next:
	MOVL	$SYS_read, AX
	MOVQ	R12, DI
	LEAQ	slot_bell(R13), SI
	MOVL	$1, DX
	SYSCALL
	CMPQ	AX, $-4 // EINTR
	JEQ	next
	CMPQ	AX, $1
	JNE	gone

	// A clone's child must not read its parent's slot, which may hold the
	// next system call by then.
	MOVQ	slot_childCtl(R13), R14
	MOVQ	slot_childSlot(R13), R15

	MOVQ	$1, slot_state(R13)
	MOVQ	slot_nr(R13), AX
	MOVQ	(slot_args+0)(R13), DI
	MOVQ	(slot_args+8)(R13), SI
	MOVQ	(slot_args+16)(R13), DX
	MOVQ	(slot_args+24)(R13), R10
	MOVQ	(slot_args+32)(R13), R8
	MOVQ	(slot_args+40)(R13), R9
	SYSCALL

	TESTQ	AX, AX
	JNE	done
	TESTQ	R15, R15
	JEQ	done

	// This is a clone's child.
	MOVQ	R14, R12
	MOVQ	R15, R13
	JMP	next

done:
	MOVQ	AX, slot_ret(R13)
	MOVQ	$2, slot_state(R13)
	MOVL	$SYS_write, AX
	MOVQ	R12, DI
	LEAQ	slot_bell(R13), SI
	MOVL	$1, DX
	SYSCALL
	JMP	next

gone:
	MOVL	$SYS_exit, AX
	XORL	DI, DI
	SYSCALL
	INT	$3

// A signal handler that does nothing, and what it returns to.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0-0
	RET

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVL	$SYS_sigreturn, AX
	SYSCALL
	INT	$3

// func handlerAddress() uintptr
TEXT ·handlerAddress(SB), NOSPLIT, $0-8
	LEAQ	handler<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// func restorerAddress() uintptr
TEXT ·restorerAddress(SB), NOSPLIT, $0-8
	LEAQ	restorer<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
