// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"os"
	"regexp"
	"testing"

	"gvisor.dev/gvisor/pkg/marshal"
)

// The size constants are part of request numbers and must agree with the
// layouts.
func TestSizes(t *testing.T) {
	for _, tc := range []struct {
		value marshal.Marshallable
		want  int
	}{
		{&WriteRead{}, SizeOfWriteRead},
		{&Version{}, SizeOfVersion},
		{&TransactionData{}, SizeOfTransactionData},
		{&TransactionDataSG{}, SizeOfTransactionDataSG},
		{&TransactionDataSecctx{}, SizeOfTransactionDataSecctx},
		{&PtrCookie{}, SizeOfPtrCookie},
		{&FlatObject{}, SizeOfFlatObject},
		{&FDObject{}, SizeOfFDObject},
		{&BufferObject{}, SizeOfBufferObject},
		{&FDArrayObject{}, SizeOfFDArrayObject},
		{&NodeDebugInfo{}, SizeOfNodeDebugInfo},
		{&NodeInfoForRef{}, SizeOfNodeInfoForRef},
		{&FreezeInfo{}, SizeOfFreezeInfo},
		{&FrozenStatusInfo{}, SizeOfFrozenStatusInfo},
		{&FrozenStateInfo{}, SizeOfFrozenStateInfo},
		{&ExtendedError{}, SizeOfExtendedError},
		{&BinderfsDevice{}, SizeOfBinderfsDevice},
	} {
		if got := tc.value.SizeBytes(); got != tc.want {
			t.Errorf("%T is %d bytes, its constant is %d", tc.value, got, tc.want)
		}
	}
}

func TestHandleCookieIsPacked(t *testing.T) {
	in := HandleCookie{Handle: 0x01020304, Cookie: 0x1112131415161718}
	var wire [SizeOfHandleCookie + 1]byte
	if rest := in.MarshalBytes(wire[:]); len(rest) != 1 {
		t.Errorf("MarshalBytes left %d bytes, want 1", len(rest))
	}
	if wire[4] != 0x18 || wire[12] != 0 {
		t.Errorf("cookie is not at offset 4: % x", wire)
	}
	var out HandleCookie
	if rest := out.UnmarshalBytes(wire[:]); len(rest) != 1 || out != in {
		t.Errorf("UnmarshalBytes = %+v with %d bytes left, want %+v with 1", out, len(rest), in)
	}
}

// Spot checks against the numbers that strace prints for Android's user space.
func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		name      string
		got, want uint32
	}{
		{"BINDER_WRITE_READ", BINDER_WRITE_READ, 0xc0306201},
		{"BINDER_VERSION", BINDER_VERSION, 0xc0046209},
		{"BINDER_SET_CONTEXT_MGR_EXT", BINDER_SET_CONTEXT_MGR_EXT, 0x4018620d},
		{"BINDER_CTL_ADD", BINDER_CTL_ADD, 0xc1086201},
		{"BC_TRANSACTION", BC_TRANSACTION, 0x40406300},
		{"BC_REQUEST_DEATH_NOTIFICATION", BC_REQUEST_DEATH_NOTIFICATION, 0x400c630e},
		{"BR_TRANSACTION", BR_TRANSACTION, 0x80407202},
		{"BR_TRANSACTION_SEC_CTX", BR_TRANSACTION_SEC_CTX, 0x80487202},
		{"BR_NOOP", BR_NOOP, 0x720c},
		{"BINDER_TYPE_BINDER", BINDER_TYPE_BINDER, 0x73622a85},
		{"BINDER_TYPE_FDA", BINDER_TYPE_FDA, 0x66646185},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %#x, want %#x", tc.name, tc.got, tc.want)
		}
	}
	if got := CommandSize(BC_TRANSACTION_SG); got != SizeOfTransactionDataSG {
		t.Errorf("CommandSize(BC_TRANSACTION_SG) = %d, want %d", got, SizeOfTransactionDataSG)
	}
	if got := CommandNumber(BR_FROZEN_BINDER); got != 21 {
		t.Errorf("CommandNumber(BR_FROZEN_BINDER) = %d, want 21", got)
	}
}

// TestRequestNames: whoever adds a request gives it a name, for logs and strace.
func TestRequestNames(t *testing.T) {
	source, err := os.ReadFile("binder.go")
	if err != nil {
		t.Skip(err) // The test is not run in its package's directory.
	}
	names := make(map[string]bool)
	for _, name := range Requests {
		names[name] = true
	}
	declared := regexp.MustCompile(`(?m)^(?:\t|const )(BINDER_\w+) += .*\btypeRequest\b`).FindAllStringSubmatch(string(source), -1)
	if len(declared) != len(names) {
		t.Errorf("there are %d requests, and %d names", len(declared), len(names))
	}
	for _, m := range declared {
		if !names[m[1]] {
			t.Errorf("%s has no name in Requests", m[1])
		}
	}
}
