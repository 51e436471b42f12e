// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package android describes the ioctls of Android's devices, Binder's and ashmem's, for
// strace.
//
// Application memory may hold anything, and change at any time. It is copied once, up to
// the room for it, and no size in it is trusted. Transaction contents are not shown.
package android

import (
	"fmt"
	"strings"

	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/marshal"
)

// Memory is the memory of an application. A kernel.Task implements it.
type Memory interface {
	CopyInBytes(addr hostarch.Addr, dst []byte) (int, error)
}

// Describer returns text for the argument at addr, or "" if that can't be read. The text
// is not much longer than room bytes.
type Describer func(mem Memory, addr hostarch.Addr, room uint) string

// Request is an ioctl request.
type Request struct {
	Name string

	// Enter and Exit describe the argument before and after the call. They may be
	// nil.
	Enter, Exit Describer
}

// structure returns a Describer for an argument that points to a T, which format turns
// into text.
func structure[T any, P interface {
	*T
	marshal.Marshallable
}](format func(P) string) Describer {
	return func(mem Memory, addr hostarch.Addr, _ uint) string {
		var v T
		if !copyIn(mem, addr, P(&v)) {
			return ""
		}
		return fmt.Sprintf("%#x {%s}", addr, format(&v))
	}
}

// copyIn sets v from the memory at addr.
func copyIn(mem Memory, addr hostarch.Addr, v marshal.Marshallable) bool {
	raw := make([]byte, v.SizeBytes())
	if _, err := mem.CopyInBytes(addr, raw); err != nil {
		return false
	}
	v.UnmarshalBytes(raw)
	return true
}

// number describes an argument that points to a 32-bit number.
func number(mem Memory, addr hostarch.Addr, _ uint) string {
	var raw [4]byte
	if _, err := mem.CopyInBytes(addr, raw[:]); err != nil {
		return ""
	}
	return fmt.Sprintf("%#x {%d}", addr, hostarch.ByteOrder.Uint32(raw[:]))
}

// flag is the name of a bit.
type flag struct {
	bit  uint32
	name string
}

// flagNames returns the names of the bits in v, and the bits without one as a number.
func flagNames(v uint32, flags []flag) string {
	var names []string
	for _, f := range flags {
		if v&f.bit != 0 {
			names = append(names, f.name)
			v &^= f.bit
		}
	}
	if v != 0 || len(names) == 0 {
		names = append(names, fmt.Sprintf("%#x", v))
	}
	return strings.Join(names, "|")
}

// text returns the string in b, which ends at its first NUL.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return fmt.Sprintf("%q", s)
}
