// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// received returns a reader of what a receiver of p would get, but with objects as they
// were sent.
func received(p *Parcel) *Reader { return &Reader{data: p.data} }

func TestValues(t *testing.T) {
	p := new(Parcel).WriteInt32(-7).WriteString("").WriteString("abcde").WriteInt32(1 << 30)
	r := received(p)

	n, err := r.ReadInt32()
	require.NoError(t, err)
	assert.EqualValues(t, -7, n)
	for _, want := range []string{"", "abcde"} {
		s, err := r.ReadString()
		require.NoError(t, err)
		assert.Equal(t, want, s)
	}
	n, err = r.ReadInt32()
	require.NoError(t, err)
	assert.EqualValues(t, 1<<30, n)
	assert.Empty(t, r.data)
}

// The driver refuses objects that are not at multiples of four bytes.
func TestObjectsAreAligned(t *testing.T) {
	object := &Object{id: 1}
	p := new(Parcel).WriteString("x").WriteObject(object).WriteString("yz").WriteRef(&Ref{handle: 3})
	require.Len(t, p.offsets, 2)
	for _, offset := range p.offsets {
		assert.Zero(t, offset%4, "offset %d", offset)
	}
}

func TestMalformed(t *testing.T) {
	for name, p := range map[string]*Parcel{
		"empty":               {},
		"length without text": new(Parcel).WriteInt32(1),
		"length too great":    new(Parcel).WriteInt32(1 << 30).WriteInt32(0),
		"negative length":     new(Parcel).WriteInt32(-1),
		"padding missing":     {data: append(new(Parcel).WriteInt32(1).data, 'x')},
	} {
		_, err := received(p).ReadString()
		assert.ErrorIs(t, err, ErrParcel, name)
	}

	object := new(Parcel).WriteObject(&Object{id: 1})
	_, err := received(object).ReadRef()
	assert.ErrorIs(t, err, ErrParcel, "an object that the driver has not translated")
	_, err = received(object).ReadFile()
	assert.ErrorIs(t, err, ErrParcel, "an object read as a file descriptor")
	_, err = received(new(Parcel).WriteInt32(0)).ReadRef()
	assert.ErrorIs(t, err, ErrParcel, "a number read as an object")
}
