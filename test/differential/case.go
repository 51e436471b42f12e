// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"strings"

	"sentrybinder/pkg/abi/binder"
	pkgprogram "sentrybinder/test/differential/program"
)

// asCase returns the divergence as a test for test/syscalls. The test does what the program
// does; comments say what happened on Linux.
func (d *divergence) asCase() string {
	w := caseWriter{threads: make(map[[2]int]bool), processes: make(map[int]bool), asleep: make(map[[2]int]bool)}
	w.printf("func TestFound(t *testing.T) {\n")
	lines := append(append([]string(nil), d.before...), d.linux...)
	for i := 0; i < len(lines); i++ {
		s, ok, err := parseStep(lines[i])
		if !ok || err != nil {
			continue
		}
		var results []string
		for i+1 < len(lines) {
			if _, ok, _ := parseStep(lines[i+1]); ok || !strings.HasPrefix(lines[i+1], "  ") {
				break
			}
			i++
			results = append(results, lines[i])
		}
		w.step(&s, results)
		if w.steps++; w.steps == len(d.steps) {
			break
		}
	}
	w.printf("}\n")
	return w.String()
}

// caseWriter writes a test step by step.
type caseWriter struct {
	strings.Builder
	steps     int
	processes map[int]bool
	threads   map[[2]int]bool
	// asleep are the threads that sleep in a call.
	asleep map[[2]int]bool
}

func (w *caseWriter) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// thread returns the variable of a thread, which it declares at first use.
func (w *caseWriter) thread(p, t int) string {
	name := fmt.Sprintf("p%d", p)
	if !w.processes[p] {
		w.processes[p] = true
		w.printf("\t%s := newBareProcess(t)\n", name)
	}
	if t == 0 {
		return name
	}
	name += fmt.Sprintf("t%d", t)
	if !w.threads[[2]int{p, t}] {
		w.threads[[2]int{p, t}] = true
		w.printf("\t%s := p%d.newBareThread()\n", name, p)
	}
	return name
}

var wokenLine = regexp.MustCompile(`^  P(\d+)\.(\d+):`)

func (w *caseWriter) step(s *pkgprogram.Step, results []string) {
	th := w.thread(s.P, s.T)
	p := fmt.Sprintf("p%d", s.P)
	sleeps := len(results) > 0 && strings.TrimSpace(results[0]) == "sleeps"
	arg := func(n uint64) string { return fmt.Sprintf("%#x", n) }
	switch s.Op {
	case pkgprogram.Open:
		w.printf("\t%s.fd = %s.open(\"/dev/%s\", %s)\n", p, th, pkgprogram.DeviceNames[s.NameIndex()], arg(s.Arg>>8|2))
	case pkgprogram.Mmap:
		w.printf("\t%s.mmap(%d)\n", p, uint32(s.Arg))
	case pkgprogram.Munmap:
		w.printf("\t%s.munmap()\n", p)
	case pkgprogram.Close:
		w.printf("\t%s.close(%s.fd)\n", th, p)
	case pkgprogram.WriteRead:
		w.writeRead(s, th, sleeps)
	case pkgprogram.Ioctl:
		w.printf("\t_, _ = %s.ioctlBytes(%#x, words(%d, 0, 0, 0, 0, 0).encode())\n", th, uint32(s.Arg), s.Arg>>32)
	case pkgprogram.Poll:
		w.printf("\t%s.poll(unix.POLLIN | unix.POLLOUT)\n", th)
	case pkgprogram.NonBlock:
		w.printf("\t%s.setNonblock(%v)\n", th, s.Arg != 0)
	case pkgprogram.DupClose:
		w.printf("\t%s.close(int(%s.Must(t, unix.SYS_DUP, uintptr(%s.fd))))\n", th, th, p)
	case pkgprogram.Fork:
		for _, r := range results {
			w.printf("\tp%s := %s.fork()\n", strings.TrimPrefix(strings.TrimSpace(r), "P"), p)
			var child int
			fmt.Sscanf(strings.TrimSpace(r), "P%d", &child)
			w.processes[child] = true
		}
	case pkgprogram.Exit, pkgprogram.Kill:
		w.printf("\t%s.kill()\n", p)
	case pkgprogram.Signal:
		w.printf("\t%s.Handle(t, unix.SIGUSR1, 0) // before it sleeps\n\t%s.Signal(t, unix.SIGUSR1)\n", th, th)
	case pkgprogram.SetUser:
		w.printf("\t%s.setUser(%d)\n", th, s.Arg)
	case pkgprogram.NodeInfo:
		w.printf("\t_, _ = %s.ioctlBytes(binder.BINDER_GET_NODE_INFO_FOR_REF, words(%d, %d, 0, 0, 0, 0).encode())\n", th, uint32(s.Arg), s.Arg>>32)
	case pkgprogram.NodeDebug:
		w.printf("\t_, _ = %s.ioctlBytes(binder.BINDER_GET_NODE_DEBUG_INFO, words(%#x, 0, 0, 0, 0, 0).encode())\n", th, s.Arg)
	case pkgprogram.LastError:
		w.printf("\t_ = %s.extendedError()\n", th)
	case pkgprogram.Freeze:
		w.printf("\t_, _ = %s.ioctlBytes(binder.BINDER_FREEZE, words(uint32(p%d.pid()), %d, %d).encode())\n", th, s.Arg&0xff, s.Arg>>8&0xff, s.Arg>>16)
	case pkgprogram.Frozen:
		w.printf("\t_, _ = %s.ioctlBytes(binder.BINDER_GET_FROZEN_INFO, words(uint32(p%d.pid()), 0, 0).encode())\n", th, s.Arg)
	default:
		w.printf("\t// %s: %v\n", th, *s)
	}
	for _, r := range results {
		var p, t int
		if m := wokenLine.FindString(r); m != "" {
			fmt.Sscanf(m, "  P%d.%d:", &p, &t)
			if w.asleep[[2]int{p, t}] {
				delete(w.asleep, [2]int{p, t})
				w.printf("\t_ = %s.finish()\n", w.thread(p, t))
			}
		}
		w.printf("\t//%s\n", r)
	}
}

func (w *caseWriter) writeRead(s *pkgprogram.Step, th string, sleeps bool) {
	if s.Fault != 0 || s.Excess != 0 || s.WriteConsumed != 0 || s.ReadConsumed != 0 {
		w.printf("\t// with fault %d, %d more bytes to write, WriteConsumed %d and ReadConsumed %d:\n", s.Fault, s.Excess, s.WriteConsumed, s.ReadConsumed)
	}
	args := []string{fmt.Sprint(s.ReadSize)}
	for i := range s.Write {
		args = append(args, asCommand(&s.Write[i]))
	}
	if sleeps {
		w.asleep[[2]int{s.P, s.T}] = true
		w.printf("\t%s.start(%s)\n\t%s.AwaitBlocked(t)\n", th, strings.Join(args, ", "), th)
	} else {
		w.printf("\t_ = %s.writeRead(%s)\n", th, strings.Join(args, ", "))
	}
}

var commandNames = map[uint32]string{
	binder.BC_TRANSACTION: "bcTransaction", binder.BC_REPLY: "bcReply",
	binder.BC_TRANSACTION_SG: "bcTransactionSG", binder.BC_REPLY_SG: "bcReplySG",
	binder.BC_INCREFS: "bcIncrefs", binder.BC_ACQUIRE: "bcAcquire", binder.BC_RELEASE: "bcRelease", binder.BC_DECREFS: "bcDecrefs",
	binder.BC_INCREFS_DONE: "bcIncrefsDone", binder.BC_ACQUIRE_DONE: "bcAcquireDone", binder.BC_FREE_BUFFER: "bcFreeBuffer",
	binder.BC_REQUEST_DEATH_NOTIFICATION: "bcRequestDeath", binder.BC_CLEAR_DEATH_NOTIFICATION: "bcClearDeath",
	binder.BC_DEAD_BINDER_DONE: "bcDeadBinderDone", binder.BC_REQUEST_FREEZE_NOTIFICATION: "bcRequestFreeze",
	binder.BC_CLEAR_FREEZE_NOTIFICATION: "bcClearFreeze", binder.BC_FREEZE_NOTIFICATION_DONE: "bcFreezeDone",
	binder.BC_ENTER_LOOPER: "bcEnterLooper", binder.BC_REGISTER_LOOPER: "bcRegisterLooper", binder.BC_EXIT_LOOPER: "bcExitLooper",
}

// asCommand returns a Go expression for a command.
func asCommand(c *pkgprogram.Command) string {
	name := commandNames[c.Code]
	switch c.Code {
	case binder.BC_TRANSACTION, binder.BC_REPLY:
		return name + asTransaction(c)
	case binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG:
		extra := int64(0)
		if c.Transaction != nil {
			extra = c.Transaction.Extra
		}
		return fmt.Sprintf("%s{bcTransaction%s, %#x}", name, asTransaction(c), uint64(extra))
	case binder.BC_INCREFS, binder.BC_ACQUIRE, binder.BC_RELEASE, binder.BC_DECREFS:
		return fmt.Sprintf("%s(%d)", name, c.Handle)
	case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
		return fmt.Sprintf("%s(%#x, %#x)", name, c.Ptr, c.Cookie)
	case binder.BC_FREE_BUFFER:
		return fmt.Sprintf("%s(0 /* the buffer of message %d, plus %d */)", name, c.Message, c.Delta)
	case binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION, binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION:
		return fmt.Sprintf("%s(%d, %#x)", name, c.Handle, c.Cookie)
	case binder.BC_DEAD_BINDER_DONE, binder.BC_FREEZE_NOTIFICATION_DONE:
		return fmt.Sprintf("%s(%#x)", name, c.Cookie)
	case binder.BC_ENTER_LOOPER, binder.BC_REGISTER_LOOPER, binder.BC_EXIT_LOOPER:
		return name
	default:
		return fmt.Sprintf("bc(%#x, make([]byte, %d))", c.Code, binder.CommandSize(c.Code))
	}
}

func asTransaction(c *pkgprogram.Command) string {
	t := c.Transaction
	if t == nil {
		t = &pkgprogram.Transaction{}
	}
	fields := []string{fmt.Sprintf("handle: %d, code: %d, flags: %#x", c.Handle, t.Code, t.Flags)}
	var parts []string
	for i := range t.Parts {
		parts = append(parts, asPart(&t.Parts[i])...)
	}
	if len(parts) > 0 {
		fields = append(fields, "payload: payload{"+strings.Join(parts, ", ")+"}")
	}
	var edits []string
	if t.Offsets != nil {
		edits = append(edits, fmt.Sprintf("/* offsets %d */", t.Offsets))
	}
	if t.DataExcess != 0 {
		edits = append(edits, fmt.Sprintf("tr.DataSize += %#x", uint64(t.DataExcess)))
	}
	if t.OffsetsExcess != 0 {
		edits = append(edits, fmt.Sprintf("tr.OffsetsSize += %#x", uint64(t.OffsetsExcess)))
	}
	if t.DataFault {
		edits = append(edits, "tr.Buffer = badAddress")
	}
	if t.OffsetsFault {
		edits = append(edits, "tr.Offsets = badAddress")
	}
	if len(edits) > 0 {
		fields = append(fields, "edit: func(tr *binder.TransactionData) { "+strings.Join(edits, "; ")+" }")
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

func asPart(p *pkgprogram.Part) []string {
	var out []string
	if p.Bytes != 0 {
		out = append(out, fmt.Sprintf("text(strings.Repeat(\"x\", %d))", p.Bytes))
	}
	if len(p.Words) > 0 {
		out = append(out, fmt.Sprintf("words(%s)", strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Words), " ", ", "), "[]")))
	}
	switch p.Type {
	case 0:
	case binder.BINDER_TYPE_PTR:
		out = append(out, fmt.Sprintf("bufferObject{Type: %#x, Flags: %d, Length: %d, Parent: %d, ParentOffset: %d} /* of %d */",
			p.Type, p.Flags, max(p.Length, 4*uint64(len(p.Content))), p.Parent, p.ParentOffset, p.Content))
	case binder.BINDER_TYPE_FDA:
		out = append(out, fmt.Sprintf("fdArray{Type: %#x, NumFDs: %d, Parent: %d, ParentOffset: %d}", p.Type, p.Binder, p.Parent, p.ParentOffset))
	default:
		out = append(out, fmt.Sprintf("object{Type: %#x, Flags: %#x, Binder: %#x, Cookie: %#x}", p.Type, p.Flags, p.Binder, p.Cookie))
	}
	return out
}
