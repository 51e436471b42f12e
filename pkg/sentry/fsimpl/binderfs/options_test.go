// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/binder"
)

// A config's mount has an option that Linux lacks.
func TestParseConfigOptions(t *testing.T) {
	for data, want := range map[string]struct {
		options
		mode linux.FileMode
	}{
		"":                             {options{max: defaultMax}, 0640},
		"mode=0666":                    {options{max: defaultMax}, 0666},
		"max=3,mode=0,stats=global":    {options{max: 3, globalStats: true}, 0},
		"mode=777,mode=0600,max=4":     {options{max: 4}, 0600},
		"stats=global,mode=660,max=10": {options{max: 10, globalStats: true}, 0660},
	} {
		o, mode, err := parseConfigOptions(data, 0640)
		require.NoError(t, err, data)
		require.Equal(t, want.options, o, data)
		require.Equal(t, want.mode, mode, data)
	}
	for _, data := range []string{"mode", "mode=", "mode=1000", "mode=8", "mode=-1", "mode=rw", "Mode=0666", "mode=0666,x", "max=x,mode=0666"} {
		_, _, err := parseConfigOptions(data, 0)
		requireErr(t, linuxerr.EINVAL, err)
	}
	_, err := parseOptions("mode=0666", true)
	requireErr(t, linuxerr.EINVAL, err)
}

func TestCheckMountOptions(t *testing.T) {
	devices := []string{"a", "b"}
	require.NoError(t, CheckMountOptions(nil, nil))
	require.NoError(t, CheckMountOptions([]string{"max=2", "stats=global", "mode=0666"}, devices))
	require.ErrorContains(t, CheckMountOptions([]string{"mode=9"}, devices), `option "mode=9": the options of binderfs are`)
	require.ErrorContains(t, CheckMountOptions([]string{"stats=local"}, devices), `"stats=local"`)
	require.ErrorContains(t, CheckMountOptions([]string{"max=3", "max=1"}, devices), "max=1 leaves no room for the initial devices: a, b")
}

// An instance starts with the devices of the registration. Their mode is that of the
// mount, if a config made it, or of the registration.
func TestDefaults(t *testing.T) {
	for _, tc := range []struct {
		data     string
		internal bool
		want     linux.FileMode
	}{
		{"", false, 0600},
		{"", true, 0640},
		{"mode=0604", true, 0604},
	} {
		w := &world{t: t, ctx: newContext(t), creds: newCreds()}
		w.vfs = &vfs.VirtualFilesystem{}
		require.NoError(t, w.vfs.Init(w.ctx))
		require.NoError(t, Register(w.vfs, binder.NewDriver(nil, nil), Defaults{Devices: []string{"a", "b"}, Mode: 0640}))
		var err error
		w.mnt, err = w.vfs.MountDisconnected(w.ctx, w.creds, "", Name, &vfs.MountOptions{
			GetFilesystemOptions: vfs.GetFilesystemOptions{Data: tc.data, InternalMount: tc.internal},
		})
		require.NoError(t, err)
		w.start()
		check := func(w *world) {
			for name, mode := range map[string]linux.FileMode{"a": tc.want, "b": tc.want, "binder-control": 0600, "later": 0600} {
				require.Equal(t, linux.S_IFCHR|mode, linux.FileMode(w.stat(name).Mode), name)
			}
		}
		require.NoError(t, w.add("later"))
		check(w)
		requireErr(t, linuxerr.EINVAL, w.fs.Reconfigure(w.ctx, w.creds, "mode=0666"))
		require.NoError(t, w.fs.Reconfigure(w.ctx, w.creds, "max=9"))
		check(w)
		require.Equal(t, "max=9", w.fs.MountOptions())
		w = w.restore()
		check(w)
		require.ElementsMatch(t, []string{"a", "b", "binder-control", "features", "later"}, w.list(""))
		require.Equal(t, []string{"a", "b"}, w.fstype.defaults.Devices)
	}
}
