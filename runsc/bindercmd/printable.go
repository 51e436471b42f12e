// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindercmd

import (
	"fmt"
	"io"
)

// printable escapes what a terminal would interpret, and writes the rest to w as it is.
// An application chooses the names in logs, and a compromised sentry writes whatever it
// likes.
type printable struct {
	w io.Writer
}

// Write implements io.Writer.Write.
func (p *printable) Write(text []byte) (int, error) {
	safe := make([]byte, 0, len(text))
	for _, c := range text {
		if c == '\n' || c == '\t' || c >= ' ' && c < 0x7f {
			safe = append(safe, c)
		} else {
			safe = fmt.Appendf(safe, `\x%02x`, c)
		}
	}
	if _, err := p.w.Write(safe); err != nil {
		return 0, err
	}
	return len(text), nil
}
