// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fields returns the rest of each line of a file, by its first word.
func fields(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	fields := make(map[string]string)
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) >= 2 {
			fields[words[0]] = strings.Join(words[1:], " ")
		}
	}
	return fields
}

// pages returns a field as a number of pages.
func pages(t *testing.T, fields map[string]string, name string) int64 {
	t.Helper()
	require.Contains(t, fields, name)
	n, err := strconv.ParseInt(fields[name], 10, 64)
	require.NoError(t, err, name)
	return n
}

// freePages returns the number of free pages in /proc/meminfo.
func freePages(t *testing.T) int64 {
	t.Helper()
	kib, ok := strings.CutSuffix(fields(t, "/proc/meminfo")["MemFree:"], " kB")
	require.True(t, ok)
	n, err := strconv.ParseInt(kib, 10, 64)
	require.NoError(t, err)
	return n / 4
}

// /proc/vmstat has the fields that lmkd reads.
func TestVmstat(t *testing.T) {
	vmstat := fields(t, "/proc/vmstat")
	for _, name := range []string{
		"nr_inactive_file", "nr_active_file", "workingset_refault_file",
		"pgscan_kswapd", "pgscan_direct", "pgscan_direct_throttle", "pgrefill",
	} {
		require.GreaterOrEqual(t, pages(t, vmstat, name), int64(0))
	}
	require.InDelta(t, freePages(t), pages(t, vmstat, "nr_free_pages"), 4096)
}

// /proc/zoneinfo has the fields that lmkd reads, in the order in which it reads them.
func TestZoneinfo(t *testing.T) {
	text, err := os.ReadFile("/proc/zoneinfo")
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	var free, low int64
	node := false
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "Node 0, zone ") {
			continue
		}
		i++
		fields := make(map[string]string)
		if strings.HasPrefix(lines[i], "  per-node stats") {
			node = true
			fields["node"] = ""
		}
		for ; !strings.HasPrefix(lines[i], "  pagesets"); i++ {
			words := strings.Fields(lines[i])
			require.GreaterOrEqual(t, len(words), 2, lines[i])
			fields[words[0]] = strings.Join(words[1:], " ")
			if words[0] == "present" && words[1] == "0" {
				break
			}
		}
		if _, ok := fields["node"]; ok {
			require.GreaterOrEqual(t, pages(t, fields, "nr_inactive_file"), int64(0))
			require.GreaterOrEqual(t, pages(t, fields, "nr_active_file"), int64(0))
		}
		if pages(t, fields, "present") == 0 {
			continue
		}
		require.GreaterOrEqual(t, pages(t, fields, "low"), pages(t, fields, "min"))
		require.GreaterOrEqual(t, pages(t, fields, "high"), pages(t, fields, "low"))
		require.Regexp(t, `^\(\d+(, \d+)*\)$`, fields["protection:"])
		free += pages(t, fields, "nr_free_pages")
		low += pages(t, fields, "low")
	}
	require.True(t, node)
	require.InDelta(t, freePages(t), free, 4096)
	require.Greater(t, free, low)
}
