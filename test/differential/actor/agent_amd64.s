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

#define SYS_sigreturn   15
#define SYS_clone       56
#define SYS_futex       202

// loop serves the slot in R13. It keeps no other state between posts, so the child of a
// clone can serve a slot of its own just by changing it.
TEXT loop<>(SB), NOSPLIT|NOFRAME, $0-0
next:
	XORL	AX, AX
	XCHGL	AX, slot_posted(R13)
	TESTL	AX, AX
	JNE	posted
	MOVL	$SYS_futex, AX
	LEAQ	slot_posted(R13), DI
	XORL	SI, SI // FUTEX_WAIT
	XORL	DX, DX // sleep only while nothing is posted
	XORL	R10, R10
	SYSCALL
	JMP	next

posted:
	MOVL	$1, slot_state(R13)
	MOVQ	slot_n(R13), R14
	MOVQ	slot_childSlot(R13), R15
	LEAQ	slot_calls(R13), R12

call:
	MOVQ	call_nr(R12), AX
	MOVQ	(call_args+0)(R12), DI
	MOVQ	(call_args+8)(R12), SI
	MOVQ	(call_args+16)(R12), DX
	MOVQ	(call_args+24)(R12), R10
	MOVQ	(call_args+32)(R12), R8
	MOVQ	(call_args+40)(R12), R9
	SYSCALL
	TESTQ	AX, AX
	JNE	returned
	TESTQ	R15, R15
	JEQ	returned

	// This is a clone's child. It must not access its parent's slot, which may already
	// hold the next calls.
	MOVQ	R15, R13
	JMP	next

returned:
	MOVQ	AX, call_ret(R12)
	ADDQ	$call_size, R12
	DECQ	R14
	JNE	call
	MOVL	$2, slot_state(R13)
	JMP	next

// func fork(flags, stack, slot uintptr) uintptr
//
// The child serves slot.
TEXT ·fork(SB), NOSPLIT, $0-32
	MOVQ	flags+0(FP), DI
	MOVQ	stack+8(FP), SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVQ	slot+16(FP), R13
	MOVL	$SYS_clone, AX
	XORL	R9, R9
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	MOVQ	AX, ret+24(FP)
	RET
child:
	JMP	loop<>(SB)

// handler is a signal handler that does nothing. It returns to restorer.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0-0
	RET

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVL	$SYS_sigreturn, AX
	SYSCALL
	INT	$3

// func codeAddress() uintptr
TEXT ·codeAddress(SB), NOSPLIT, $0-8
	LEAQ	loop<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

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
