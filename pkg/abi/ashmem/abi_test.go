// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import "testing"

// Request numbers as strace prints them for Android's user space.
func TestNumbers(t *testing.T) {
	for name, tc := range map[string]struct{ got, want uint32 }{
		"ASHMEM_SET_NAME":         {ASHMEM_SET_NAME, 0x41007701},
		"ASHMEM_GET_NAME":         {ASHMEM_GET_NAME, 0x81007702},
		"ASHMEM_SET_SIZE":         {ASHMEM_SET_SIZE, 0x40087703},
		"ASHMEM_GET_SIZE":         {ASHMEM_GET_SIZE, 0x7704},
		"ASHMEM_SET_PROT_MASK":    {ASHMEM_SET_PROT_MASK, 0x40087705},
		"ASHMEM_GET_PROT_MASK":    {ASHMEM_GET_PROT_MASK, 0x7706},
		"ASHMEM_PIN":              {ASHMEM_PIN, 0x40087707},
		"ASHMEM_UNPIN":            {ASHMEM_UNPIN, 0x40087708},
		"ASHMEM_GET_PIN_STATUS":   {ASHMEM_GET_PIN_STATUS, 0x7709},
		"ASHMEM_PURGE_ALL_CACHES": {ASHMEM_PURGE_ALL_CACHES, 0x770a},
		"ASHMEM_GET_FILE_ID":      {ASHMEM_GET_FILE_ID, 0x8008770b},
	} {
		if tc.got != tc.want {
			t.Errorf("%s = %#x, want %#x", name, tc.got, tc.want)
		}
	}
}

func TestSizes(t *testing.T) {
	if got := (&Pin{}).SizeBytes(); got != SizeOfPin {
		t.Errorf("Pin is %d bytes, SizeOfPin is %d", got, SizeOfPin)
	}
}
