// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// message returns a program's request to set a property.
func message(command uint32, name, value string) *bytes.Buffer {
	b := binary.NativeEndian.AppendUint32(nil, command)
	for _, s := range []string{name, value} {
		b = binary.NativeEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return bytes.NewBuffer(b)
}

type conn struct {
	io.Reader
	io.Writer
}

func TestServeProperty(t *testing.T) {
	refused := errors.New("refused")
	for _, test := range []struct {
		name   string
		err    error
		answer uint32
	}{{"accepted", nil, resultSuccess}, {"refused", refused, resultInvalidValue}} {
		t.Run(test.name, func(t *testing.T) {
			var answer bytes.Buffer
			var got []string
			err := serveProperty(conn{message(setProperty2, "name", "a value"), &answer}, func(name, value string) error {
				got = append(got, name, value)
				return test.err
			})
			require.Equal(t, test.err, err)
			require.Equal(t, []string{"name", "a value"}, got)
			require.Equal(t, binary.NativeEndian.AppendUint32(nil, test.answer), answer.Bytes())
		})
	}
}

func TestServePropertyRefuses(t *testing.T) {
	long := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, setProperty2), maxLength+1)
	for name, input := range map[string]io.Reader{
		"command": message(1, "name", "value"),
		"length":  io.MultiReader(bytes.NewReader(long), bytes.NewReader(make([]byte, maxLength+1))),
		"end":     bytes.NewReader(message(setProperty2, "name", "value").Bytes()[:14]),
	} {
		t.Run(name, func(t *testing.T) {
			var answer bytes.Buffer
			require.Error(t, serveProperty(conn{input, &answer}, func(string, string) error {
				t.Error("a property was set")
				return nil
			}))
			require.Empty(t, answer.Bytes())
		})
	}
}
