// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBrokenLinks(t *testing.T) {
	for _, tt := range []struct{ text, broken string }{
		{"[a](docs/page.md) [b](docs) ![c](docs/page.md#the-boots-1st-step)", ""},
		{"[elsewhere](https://example.com/nothing)", ""},
		{"# Here\n[a](#here)", ""},
		{"```\n[a](nowhere)\n```\n", ""},
		{"[a](nowhere.md)", "nowhere.md"},
		{"[a](docs/page.md#the-2nd)", "docs/page.md#the-2nd"},
		{"[a](docs/page.md#in-code)", "docs/page.md#in-code"},
		{"text # Here\n[a](#here)", "#here"},
	} {
		root := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(root, "docs"), 0o700))
		page := "# Page\n## The boot's 1st `step`\n```\n# In code\n```\n"
		require.NoError(t, os.WriteFile(filepath.Join(root, "docs", "page.md"), []byte(page), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(root, "README.md"), []byte(tt.text), 0o600))
		err := brokenLinks(root)
		if tt.broken == "" {
			require.NoError(t, err, tt.text)
		} else {
			require.ErrorContains(t, err, "link to "+tt.broken+":", tt.text)
		}
	}
}
