// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinux

import (
	"bytes"
	goContext "context"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/state"
)

var attrs = []string{attrCurrent, attrPrev, attrExec, attrFSCreate, attrKeyCreate, attrSockCreate}

// all returns the attributes of a task in their order.
func (m *Module) all(sc any) (values [6]string) {
	for i, attr := range attrs {
		values[i] = m.Attr(sc, attr)
	}
	return values
}

func startModule(t *testing.T) (*Module, any) {
	m := NewModule()
	require.NoError(t, m.StartContainer("id", "name", "u:r:init:s0:c1,c0"))
	return m, m.InitialContext("id")
}

func mustSet(t *testing.T, m *Module, sc any, attr, value string) any {
	t.Helper()
	sc, err := m.SetAttr(sc, attr, value, true)
	require.NoError(t, err)
	return sc
}

// Setting and unsetting attributes leaves contexts alone that others share.
func TestSetAttr(t *testing.T) {
	m, initial := startModule(t)
	require.Equal(t, [6]string{"u:r:init:s0:c0,c1", "u:r:init:s0:c0,c1"}, m.all(initial))
	for i, attr := range attrs {
		if attr == attrPrev {
			continue
		}
		for _, value := range []string{"u:r:adbd:s0", "u:r:adbd:s0\n", "u:r:adbd:s0\x00", "u:r:adbd:s0\x00\n"} {
			want := m.all(initial)
			want[i] = "u:r:adbd:s0"
			require.Equal(t, want, m.all(mustSet(t, m, initial, attr, value)))
		}
		for _, value := range []string{"bad", "u:r:adbd:s0 ", "u:r:adbd:s0\n\n"} {
			_, err := m.SetAttr(initial, attr, value, true)
			requireInvalid(t, err, "%s=%q", attr, value)
		}
		for _, value := range []string{"", "\n", "\x00"} {
			if attr == attrCurrent {
				_, err := m.SetAttr(initial, attr, value, true)
				requireInvalid(t, err)
				continue
			}
			set := mustSet(t, m, initial, attr, "u:r:adbd:s0")
			require.Equal(t, m.all(initial), m.all(mustSet(t, m, set, attr, value)))
		}
	}
	require.Equal(t, [6]string{"u:r:init:s0:c0,c1", "u:r:init:s0:c0,c1"}, m.all(initial))
	for _, attr := range []string{attrPrev, "nothing"} {
		for _, value := range []string{"u:r:adbd:s0", "", "bad"} {
			_, err := m.SetAttr(initial, attr, value, true)
			require.True(t, linuxerr.Equals(linuxerr.EOPNOTSUPP, err))
		}
	}
	require.Empty(t, m.Attr(initial, "nothing"))
}

// One thread of several keeps its type, but may change its level.
func TestSetCurrentOfThread(t *testing.T) {
	m, initial := startModule(t)
	sc, err := m.SetAttr(initial, attrCurrent, "u:r:init:s0:c5", false)
	require.NoError(t, err)
	require.Equal(t, "u:r:init:s0:c5", m.Label(sc))
	_, err = m.SetAttr(initial, attrCurrent, "u:r:adbd:s0", false)
	require.True(t, linuxerr.Equals(linuxerr.EPERM, err))
	_, err = m.SetAttr(initial, attrExec, "u:r:adbd:s0", false)
	require.NoError(t, err)
}

// On execve(2) a task gets the context that it has set, or the one that the file's
// determines, and what it has set is gone.
func TestExecContext(t *testing.T) {
	m, sc := startModule(t)
	for _, attr := range []string{attrFSCreate, attrKeyCreate, attrSockCreate} {
		sc = mustSet(t, m, sc, attr, "u:object_r:x:s0")
	}
	sc = mustSet(t, m, sc, attrCurrent, "u:r:zygote:s0")
	require.Equal(t, [6]string{"u:r:zygote:s0", "u:r:zygote:s0"}, m.all(m.ExecContext(sc, "u:object_r:system_file:s0\x00")))
	require.Equal(t, [6]string{"u:r:adbd:s0", "u:r:zygote:s0"}, m.all(m.ExecContext(sc, "u:object_r:adbd_exec:s0\x00")))
	require.Equal(t, [6]string{"u:r:zygote:s0", "u:r:zygote:s0"}, m.all(m.ExecContext(sc, "bad")))

	sc = mustSet(t, m, sc, attrExec, "u:r:shell:s0")
	require.Equal(t, [6]string{"u:r:shell:s0", "u:r:zygote:s0"}, m.all(m.ExecContext(sc, "u:object_r:adbd_exec:s0\x00")))
}

func TestSocketLabel(t *testing.T) {
	m, sc := startModule(t)
	require.Equal(t, "u:r:init:s0:c0,c1", m.SocketLabel(sc))
	require.Equal(t, "u:r:logd:s0", m.SocketLabel(mustSet(t, m, sc, attrSockCreate, "u:r:logd:s0")))
}

func TestNewFileLabel(t *testing.T) {
	m, sc := startModule(t)
	require.Empty(t, m.NewFileLabel(sc))
	require.Equal(t, "u:object_r:x:s0\x00", m.NewFileLabel(mustSet(t, m, sc, attrFSCreate, "u:object_r:x:s0")))
}

func TestFileLabel(t *testing.T) {
	m := NewModule()
	for stored, want := range map[string]string{
		"":                              "u:object_r:unlabeled:s0\x00",
		"bad":                           "u:object_r:unlabeled:s0\x00",
		"u:object_r:system_file:s0":     "u:object_r:system_file:s0\x00",
		"u:object_r:system_file:s0\x00": "u:object_r:system_file:s0\x00",
	} {
		require.Equal(t, want, m.FileLabel(stored))
		if stored != "" && stored != "bad" {
			require.NoError(t, m.CheckFileLabel(stored))
		} else {
			requireInvalid(t, m.CheckFileLabel(stored))
		}
	}
}

// Containers have contexts of their own, and keep them when they are restored under
// another ID.
func TestContainers(t *testing.T) {
	m := NewModule()
	initial := func(id string) string { return m.Label(m.InitialContext(id)) }
	requireInvalid(t, m.StartContainer("bad", "bad", "bad"))
	for id, c := range map[string][2]string{"1": {"one", "u:r:one:s0"}, "2": {"two", "u:r:two:s0"}, "3": {"gone", "u:r:gone:s0"}} {
		require.NoError(t, m.StartContainer(id, c[0], c[1]))
	}
	m.StopContainer("3")
	m.StopContainer("3")
	require.Equal(t, [4]string{"u:r:one:s0", "u:r:two:s0", Unlabeled, Unlabeled}, [4]string{initial("1"), initial("2"), initial("3"), initial("bad")})

	require.NoError(t, m.StartContainer("5", "one", "u:r:next:s0"), "before the first one is stopped")
	var saved bytes.Buffer
	_, err := state.Save(goContext.Background(), &saved, m)
	require.NoError(t, err)
	m = &Module{}
	_, err = state.Load(goContext.Background(), &saved, m)
	require.NoError(t, err)
	m.RestoreContainers(map[string]string{"one": "11", "two": "12", "new": "13"})
	require.Equal(t, [4]string{"u:r:next:s0", "u:r:two:s0", Unlabeled, Unlabeled}, [4]string{initial("11"), initial("12"), initial("13"), initial("1")})
}

// A process that nobody has started has the least of contexts, and can change it.
func TestNoContext(t *testing.T) {
	m := NewModule()
	require.Equal(t, Unlabeled, m.Label(nil))
	require.Equal(t, "u:r:init:s0", m.Label(mustSet(t, m, nil, attrCurrent, "u:r:init:s0")))
	require.Equal(t, Unlabeled, m.Label(nil))
}
