// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// inspect runs "runsc binder" in the container's sandbox.
func (c *container) inspect(subcommand string, args ...string) string {
	c.t.Helper()
	return c.run(append([]string{"binder", subcommand}, args...)...)
}

// domain is a domain in the JSON of "runsc binder".
type domain struct {
	Container, Name string
	Commands        map[string]uint64
	Objects         map[string]struct{ Active, Total uint64 }
	Processes       []struct {
		PID     int
		Context string
		Threads int
	}
	RefusedCommands []struct{ Reason string } `json:"refused_commands"`
	Transactions    []struct {
		From, To              struct{ PID int }
		Handle                uint32
		Return, Error, Reason string
		Object, Offset        *uint64
	}
}

// inspectJSON is inspect for JSON.
func (c *container) inspectJSON(subcommand string, args ...string) (domains []domain) {
	c.t.Helper()
	out := c.inspect(subcommand, append([]string{"-format=json"}, args...)...)
	require.NoError(c.t, json.Unmarshal([]byte(out), &domains), out)
	return domains
}

// sections splits text by domain, at the titles.
func sections(text string) map[string]string {
	found := make(map[string]string)
	for _, section := range strings.Split("\n"+text, "\n# ")[1:] {
		title, rest, _ := strings.Cut(section, "\n")
		if strings.HasPrefix(title, "binderfs 0:") {
			title = "binderfs"
		}
		found[title] = rest
	}
	return found
}

// An operator sees what the driver holds for a container: its /dev, and what it shares
// with others. Nothing runs in the container for that.
func TestInspect(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	mount := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: source})
	root := p.start("root", hint(source))
	one, two := p.start("one", mount), p.start("two", mount)
	one.serve("/dev/binder", "one")
	two.serve(binderfs+"/hwbinder", "two")
	devOne, devTwo, devRoot := "/dev of container "+one.id, "/dev of container "+two.id, "/dev of container "+root.id

	got := sections(p.run("binder", "state", one.id))
	require.Len(t, got, 1)
	require.Regexp(t, `^binder state:\nproc \d+\ncontext binder\n  thread \d+: l 12 .*\n  node 1: u`, got[devOne])

	got = sections(p.run("binder", "state", two.id))
	require.Len(t, got, 2)
	require.Equal(t, "binder state:", got[devTwo])
	require.Regexp(t, `^binder state:\nproc \d+\ncontext hwbinder\n`, got["binderfs"])

	got = sections(p.run("binder", "stats", "-sandbox", two.id))
	require.Len(t, got, 4)
	require.Contains(t, got[devOne], "\nBC_ENTER_LOOPER: 1\n")
	require.Contains(t, got["binderfs"], "\nBC_ENTER_LOOPER: 1\n")
	require.NotContains(t, got[devTwo]+got[devRoot], "BC_ENTER_LOOPER")

	domains := one.inspectJSON("stats", one.id)
	require.Len(t, domains, 1)
	require.Equal(t, one.id, domains[0].Container)
	require.Equal(t, "/dev", domains[0].Name)
	require.EqualValues(t, 1, domains[0].Commands["BC_ENTER_LOOPER"])
	require.EqualValues(t, 1, domains[0].Objects["node"].Active)
	require.Len(t, domains[0].Processes, 1)

	// Processes have the IDs shown by "runsc ps", or the container's own.
	pid := domains[0].Processes[0].PID
	require.Regexp(t, `"?`+strconv.Itoa(pid)+`\b`, p.run("ps", "--format=json", one.id))
	own := one.inspectJSON("ps", "-container-pids", one.id)[0].Processes[0].PID
	require.NotEqual(t, pid, own)
	require.Contains(t, p.run("binder", "proc", one.id, strconv.Itoa(pid)), "\nproc "+strconv.Itoa(pid)+"\ncontext binder\n")
	require.Contains(t, p.run("binder", "proc", "-container-pids", one.id, strconv.Itoa(own)), "\nproc "+strconv.Itoa(own)+"\ncontext binder\n")
	require.NotContains(t, p.run("binder", "proc", one.id, strconv.Itoa(own)), "proc "+strconv.Itoa(own)+"\n")
	require.Regexp(t, `(?m)^`+strconv.Itoa(pid)+` +binder +1 `, p.run("binder", "ps", one.id))

	// A paused sandbox can be inspected.
	p.run("pause", one.id)
	require.Contains(t, p.run("binder", "state", one.id), "context binder")
	p.run("resume", one.id)
}

// A restored container can be inspected, including what was refused before the
// checkpoint.
func TestInspectRestored(t *testing.T) {
	serving := func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "serve", "/dev/binder", "one"} }
	p := newPod(t)
	c := p.start("root", serving)
	c.await("/dev/binder", "one")
	c.exec("refused", "/dev/binder")
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, c.id)
	c.delete()

	p.id = ""
	c = p.create("root", serving)
	p.run("restore", "--detach", "--image-path="+image, c.id)
	require.Len(t, c.inspectJSON("ps", c.id)[0].Processes, 1)
	require.Contains(t, p.run("binder", "failed", c.id), "got transaction to invalid handle, 99")
	c.exec("refused", "/dev/binder")
	require.Equal(t, 2, strings.Count(c.exec("log", "read"), "got transaction to invalid handle, 99"))
}

// What can't be shown is an error.
func TestInspectWhatIsNot(t *testing.T) {
	p := newPod(t)
	root := p.create("root", nil)
	out, err := p.try("binder", "state", root.id)
	require.Error(t, err)
	require.Contains(t, out, "has not been started")
	p.run("start", root.id)
	created := p.create("created", nil)
	for want, args := range map[string][]string{
		"has not been started":               {"state", created.id},
		"container \"nobody\"":               {"state", "nobody"},
		"is not a process ID":                {"proc", root.id, "x"},
		"want text or json":                  {"stats", "-format=xml", root.id},
		"flag provided but not defined":      {"state", "-format=json", root.id},
		"show all that the driver holds":     {"state"},
		"show all that the driver holds for": {"proc", root.id},
	} {
		out, err := p.try(append([]string{"binder"}, args...)...)
		require.Error(t, err, "%v", args)
		require.Contains(t, out, want, "%v", args)
	}
}

// The log says why a transaction failed in Linux's words, and whose it was.
func TestInspectFailed(t *testing.T) {
	p := newPod(t)
	one, two := p.start("one", nil), p.start("two", nil)
	one.serve("/dev/binder", "one")
	require.Equal(t, "BR_FAILED_REPLY\n", one.exec("refused", "/dev/binder"))

	failed := one.inspectJSON("failed", one.id)
	require.Len(t, failed, 1)
	require.Len(t, failed[0].Transactions, 2)
	first, second := failed[0].Transactions[0], failed[0].Transactions[1]
	require.Equal(t, "got transaction to invalid handle, 99", first.Reason)
	require.EqualValues(t, 99, first.Handle)
	require.Equal(t, "BR_FAILED_REPLY", first.Return)
	require.Equal(t, "EINVAL", first.Error)
	require.Nil(t, first.Object)
	require.Equal(t, "got transaction with invalid handle, 77 (object 1 at offset 24)", second.Reason)
	require.EqualValues(t, 24, *second.Offset)
	require.NotZero(t, second.From.PID)
	require.NotEqual(t, second.From.PID, second.To.PID)

	text := p.run("binder", "failed", one.id)
	require.Contains(t, text, " BR_FAILED_REPLY: got transaction to invalid handle, 99: EINVAL\n")
	require.Regexp(t, `(?m)^\d+: call  from \d+:\d+ to 0:0 context binder node 0 handle 99 size 0:0 ret 29201/-22 l=\d+$`, text)
	require.Equal(t, "# /dev of container "+two.id+"\n", p.run("binder", "failed", two.id))

	// Other refused commands are logged, too, and everything appears in the container's
	// kernel log, with the container's IDs of its processes.
	require.Len(t, failed[0].RefusedCommands, 1)
	require.Equal(t, "BC_ACQUIRE refcount change on invalid ref 98", failed[0].RefusedCommands[0].Reason)
	require.Contains(t, text, " context binder: BC_ACQUIRE refcount change on invalid ref 98\n")
	kmsg := one.exec("log", "read")
	for _, want := range []string{"got transaction to invalid handle, 99", `got transaction with invalid handle, 77 \(object 1 at offset 24\)`, "BC_ACQUIRE refcount change on invalid ref 98"} {
		require.Regexp(t, `(?m)^binder: \d+:\d+ `+want+"$", kmsg)
	}
	require.NotContains(t, two.exec("log", "read"), "binder: ")
}

// strace decodes Binder's ioctls.
func TestStrace(t *testing.T) {
	p := newPod(t)
	p.flags = []string{"--debug", "--strace", "--strace-syscalls=ioctl"}
	c := p.start("root", nil)
	s := c.serve("/dev/binder", "one")
	c.call("/dev/binder")
	require.True(t, s.lines.Scan())
	c.delete()
	logs, err := filepath.Glob(filepath.Join(p.dir, "log", "*.boot.txt"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	log, err := os.ReadFile(logs[0])
	require.NoError(t, err)
	for _, want := range []string{
		`E ioctl\(0x\d+ /dev/binder, BINDER_SET_CONTEXT_MGR, 0x`,
		`E ioctl\(0x\d+ /dev/binder, BINDER_WRITE_READ, 0x[0-9a-f]+ {.* write=\[BC_TRANSACTION{handle=0 code=0x\d+ flags=0x0 size=\d+-0}\]}\)`,
		`X ioctl\(0x\d+ /dev/binder, BINDER_WRITE_READ, 0x[0-9a-f]+ {.* read=\[BR_NOOP, BR_TRANSACTION{ptr=0x0 cookie=0x0 .* sender_pid=\d+ sender_euid=0 .*}\]}\) = 0`,
		`X ioctl\(.* read=\[BR_NOOP, BR_TRANSACTION_COMPLETE, BR_REPLY{`,
	} {
		require.Regexp(t, want, string(log))
	}
}

// refused makes calls that are refused, and prints what the last one gets.
func refused(device string) {
	c := open(device)
	acquire := binary.NativeEndian.AppendUint32(nil, binder.BC_ACQUIRE)
	c.write(binary.NativeEndian.AppendUint32(acquire, 98))
	for _, call := range []func(td *binder.TransactionData){
		func(td *binder.TransactionData) { td.Target = 99 },
		func(td *binder.TransactionData) {
			kept.data = make([]byte, 2*binder.SizeOfFlatObject)
			rest := (&binder.FlatObject{Type: binder.BINDER_TYPE_BINDER, Binder: 0x10}).MarshalUnsafe(kept.data)
			(&binder.FlatObject{Type: binder.BINDER_TYPE_HANDLE, Binder: 77}).MarshalUnsafe(rest)
			kept.offsets = binary.NativeEndian.AppendUint64(make([]byte, 8), binder.SizeOfFlatObject)
			td.DataSize, td.Buffer = uint64(len(kept.data)), uint64(uintptr(unsafe.Pointer(&kept.data[0])))
			td.OffsetsSize, td.Offsets = uint64(len(kept.offsets)), uint64(uintptr(unsafe.Pointer(&kept.offsets[0])))
		},
	} {
		var td binder.TransactionData
		call(&td)
		cmd := make([]byte, 4+binder.SizeOfTransactionData)
		binary.NativeEndian.PutUint32(cmd, binder.BC_TRANSACTION)
		td.MarshalBytes(cmd[4:])
		c.write(cmd)
		br, _ := c.await()
		if td.Target == 0 {
			fmt.Println(binder.ReturnName(br))
		}
	}
}
