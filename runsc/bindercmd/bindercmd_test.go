// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindercmd_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/subcommands"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/control/server"
	"gvisor.dev/gvisor/runsc/config"
	"gvisor.dev/gvisor/runsc/flag"

	"sentrybinder/runsc/bindercmd"
)

// Binder stands in for the object of that name of a sandbox's control server.
type Binder struct {
	write func(args *bindercmd.LogArgs) error
}

// WriteLog is called by commands.
func (b *Binder) WriteLog(args *bindercmd.LogArgs, _ *struct{}) error { return b.write(args) }

// run runs "runsc binder" with a sandbox whose logs are written by write, and returns
// what the command prints.
func run(t *testing.T, write func(args *bindercmd.LogArgs) error, args ...string) (string, subcommands.ExitStatus) {
	// The socket's path may be too long for a socket address.
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	require.NoError(t, os.Mkdir(dir, 0700))
	socket := filepath.Join(dir, "socket")
	s, err := server.Create(socket)
	require.NoError(t, err)
	s.Register(&Binder{write})
	require.NoError(t, s.StartServing())
	defer s.Stop(0)

	cmd := bindercmd.New(func(rootDir, id string) (*bindercmd.Container, error) {
		require.Equal(t, "/root", rootDir)
		if id != "con" {
			return nil, errors.New("no such container")
		}
		return &bindercmd.Container{ID: "container", ControlSocket: socket}, nil
	})
	f := flag.NewFlagSet("binder", flag.ContinueOnError)
	cmd.SetFlags(f)
	require.NoError(t, f.Parse(args))

	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	os.Stdout, err = os.CreateTemp(t.TempDir(), "stdout")
	require.NoError(t, err)
	status := cmd.Execute(context.Background(), f, &config.Config{RootDir: "/root"}, nil)
	out, err := os.ReadFile(os.Stdout.Name())
	require.NoError(t, err)
	return string(out), status
}

// The log is larger than a pipe.
func TestShow(t *testing.T) {
	text := strings.Repeat("0123456789abcdef\n", 1<<16)
	out, status := run(t, func(args *bindercmd.LogArgs) error {
		require.Equal(t, "state", args.Log)
		require.Equal(t, "container", args.ContainerID)
		require.Empty(t, args.PIDsOf)
		require.False(t, args.JSON)
		_, err := args.Files[0].WriteString(text)
		return err
	}, "state", "con")
	require.Equal(t, subcommands.ExitSuccess, status)
	require.True(t, text == out)
}

func TestShowArguments(t *testing.T) {
	var got *bindercmd.LogArgs
	note := func(args *bindercmd.LogArgs) error {
		got = args
		return nil
	}
	for _, tc := range []struct {
		args []string
		want bindercmd.LogArgs
	}{
		{[]string{"proc", "con", "7"}, bindercmd.LogArgs{Log: "proc", ContainerID: "container", PID: 7}},
		{[]string{"stats", "-format=json", "-sandbox", "con"}, bindercmd.LogArgs{Log: "stats", JSON: true}},
		{[]string{"failed", "-container-pids", "con"}, bindercmd.LogArgs{Log: "failed", ContainerID: "container", PIDsOf: "container"}},
		{[]string{"ps", "-format=text", "con"}, bindercmd.LogArgs{Log: "ps", ContainerID: "container"}},
	} {
		_, status := run(t, note, tc.args...)
		require.Equal(t, subcommands.ExitSuccess, status, tc.args)
		got.Files = nil
		require.Equal(t, tc.want, *got)
	}
	got = nil
	for _, args := range [][]string{
		{}, {"nothing"}, {"state"}, {"state", "con", "con"}, {"state", "other"},
		{"proc", "con"}, {"proc", "con", "0"}, {"proc", "con", "x"}, {"proc", "con", "3000000000"},
		{"stats", "-format=xml", "con"}, {"state", "-format=json", "con"},
	} {
		_, status := run(t, note, args...)
		require.NotEqual(t, subcommands.ExitSuccess, status, args)
		require.Nil(t, got)
	}
}

// What the sandbox writes before it fails is shown.
func TestShowFails(t *testing.T) {
	out, status := run(t, func(args *bindercmd.LogArgs) error {
		_, _ = args.Files[0].WriteString("some")
		return errors.New("failed")
	}, "state", "con")
	require.Equal(t, subcommands.ExitFailure, status)
	require.Equal(t, "some", out)
}

// Names that an application chooses are escaped before they reach the terminal.
func TestPrintable(t *testing.T) {
	out, _ := run(t, func(args *bindercmd.LogArgs) error {
		_, err := args.Files[0].Write(bytes.Join([][]byte{[]byte("a\tb\n"), {0x1b, '[', '2', 'J', 0x7f, 0xc2, 0x9b, 0}}, nil))
		return err
	}, "state", "con")
	require.Equal(t, "a\tb\n"+`\x1b[2J\x7f\xc2\x9b\x00`, out)
}
