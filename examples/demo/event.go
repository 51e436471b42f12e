// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// event is something that a role did or saw. Roles write events to their standard
// output, one JSON value per line.
type event struct {
	// Name and Values are for the director to check.
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`

	// Text is for people. An event without it is not shown.
	Text string `json:"text,omitempty"`
}

// tell writes an event. It may be called from any goroutine.
func tell(name string, values []any, format string, args ...any) {
	e := event{Name: name, Text: fmt.Sprintf(format, args...)}
	for _, v := range values {
		e.Values = append(e.Values, fmt.Sprint(v))
	}
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	// One write, so that lines of several goroutines don't mix. It doesn't matter if
	// nobody reads it any more.
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// values formats values for tell.
func values(v ...any) []any { return v }
