// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:logs
package syscalls

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// Each test generates the same traffic everywhere and compares the logs with those
// of Linux's C driver, except for numbers that differ each time: see logs.mask.

// logs reads binder_logs.
type logs struct {
	t testing.TB

	// ids holds the names of the processes and threads that the test knows, by ID.
	ids map[string]string
}

// newLogs returns a reader of the logs, or skips the test.
func newLogs(t testing.TB) *logs {
	t.Helper()
	if statsFile == "" {
		t.Skip("no binder_logs")
	}
	if differs(t, onLogs) {
		t.SkipNow()
	}
	return &logs{t: t, ids: map[string]string{"0": "0"}}
}

// name gives th's ID a name.
func (l *logs) name(th *thread, name string) { l.ids[strconv.Itoa(th.TID())] = name }

// raw returns the log called name unmodified.
func (l *logs) raw(name string) string {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(statsFile), name))
	require.NoError(l.t, err)
	return string(b)
}

// read returns the log called name with everything masked that may differ.
func (l *logs) read(name string) string {
	l.t.Helper()
	return l.mask(l.raw(name))
}

// What differs each time: process and thread IDs, numbers of objects, addresses of the
// driver's own objects, times, and lines of the driver's source.
var (
	idsInLogs       = regexp.MustCompile(`\bproc( \d+)+|\bthread \d+:|\bfrom \d+:\d+ to \d+:\d+`)
	numbersInLogs   = regexp.MustCompile(`\b(node|work|ref|buffer|transaction) \d+|(?m:^)\d+:`)
	addressesInLogs = regexp.MustCompile(`(: | d )[0-9a-f]{16}\b`)
	elapsedInLogs   = regexp.MustCompile(`elapsed \d+ms`)
	linesInLogs     = regexp.MustCompile(`l=[1-9]\d*`)

	decimal = regexp.MustCompile(`\d+`)
)

// mask returns text with names in place of the IDs that have one, with #1, #2 and so on,
// in ascending order, in place of the numbers of objects, and with marks in place of what
// else differs.
func (l *logs) mask(text string) string {
	text = idsInLogs.ReplaceAllStringFunc(text, func(s string) string {
		return decimal.ReplaceAllStringFunc(s, func(id string) string {
			if name, ok := l.ids[id]; ok {
				return name
			}
			return "?"
		})
	})
	var numbers []int
	for _, s := range numbersInLogs.FindAllString(text, -1) {
		if n, _ := strconv.Atoi(decimal.FindString(s)); n != 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	text = numbersInLogs.ReplaceAllStringFunc(text, func(s string) string {
		return decimal.ReplaceAllStringFunc(s, func(number string) string {
			n, _ := strconv.Atoi(number)
			if i, ok := slices.BinarySearch(numbers, n); ok {
				return fmt.Sprintf("#%d", i+1)
			}
			return number
		})
	})
	text = addressesInLogs.ReplaceAllStringFunc(text, func(s string) string {
		before, address := s[:len(s)-16], s[len(s)-16:]
		if address == strings.Repeat("0", 16) {
			return before + "0"
		}
		return before + "@"
	})
	text = elapsedInLogs.ReplaceAllString(text, "elapsed")
	return linesInLogs.ReplaceAllString(text, "l=LINE")
}

// expect checks that the masked log is want.
func (l *logs) expect(name, want string) {
	l.t.Helper()
	l.compare(name, l.read(name), want)
}

// expectLines checks that want is the part of a log of transactions that concerns threads
// with a name.
func (l *logs) expectLines(name, want string) {
	l.t.Helper()
	var lines strings.Builder
	for line := range strings.Lines(l.raw(name)) {
		if m := regexp.MustCompile(`from \d+:(\d+) to`).FindStringSubmatch(line); m != nil && l.ids[m[1]] != "" {
			lines.WriteString(line)
		}
	}
	l.compare(name, l.mask(lines.String()), want)
}

// compare checks that got is want, in which LABEL stands for the size of a security
// context.
func (l *logs) compare(name, got, want string) {
	l.t.Helper()
	want = strings.ReplaceAll(want, "LABEL", strconv.Itoa(labelSpace))
	assert.Equal(l.t, strings.TrimPrefix(want, "\n"), got, name)
}

// newLoggedPair returns the manager, another process and the logs.
func newLoggedPair(t *testing.T) (l *logs, server, client *process) {
	t.Helper()
	l = newLogs(t)
	server, client = newManager(t), newProcess(t)
	l.name(server.thread, "server")
	l.name(client.thread, "client")
	return l, server, client
}

// Nodes, handles, and the references to them.
func TestLogReferences(t *testing.T) {
	l, server, client := newLoggedPair(t)
	third := newProcess(t)
	l.name(third.thread, "third")
	h := server.give(client, 0x10, 0xffff_8888_0000_0020)
	server.give(third, 0x8, 0)
	client.write(bcRequestDeath(h, 0xdead), bcAcquire(h), bcIncrefs(h), bcIncrefs(h), bcAcquire(0))
	third.startWriteRead(bcTransaction{payload: payload{weakNode(0x99, 0x98)}})
	request := server.read().message(t)
	server.write(bcReply{payload: payload{node(0x10, 0xffff_8888_0000_0020)}})
	server.expect(brNoop, brTransactionComplete)
	answer := third.finish().ok(t).message(t)
	server.write(request.free())
	l.expect("state", `
binder state:
proc third
context binder
  thread third: l 02 need_return 0 tr 0
  node #7: u0000000000000099 c0000000000000098 hs 0 hw 1 ls 0 lw 1 is 0 iw 0 tr 1
  ref #5: desc 1 node #4 s 1 w 1 d 0
  ref #9: desc 2 node #2 s 1 w 0 d 0
  buffer #8: 0 size 24:8:0 delivered
proc client
context binder
  thread client: l 02 need_return 0 tr 0
  ref #6: desc 0 node #1 s 1 w 0 d 0
  ref #3: desc 1 node #2 s 2 w 3 d @
proc server
context binder
  thread server: l 02 need_return 0 tr 0
  node #1: u0000000000000000 c0000000000000000 hs 1 hw 1 ls 1 lw 1 is 1 iw 1 tr 1 proc client
  node #4: u0000000000000008 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc third
  node #2: u0000000000000010 cffff888800000020 hs 1 hw 1 ls 0 lw 0 is 2 iw 2 tr 1 proc third client
`)
	l.expect("transactions", `
binder transactions:
proc third
context binder
  buffer #1: 0 size 24:8:0 delivered
`)
	l.expect(l.of(server), `
binder proc state:
proc server
context binder
  thread server: l 02 need_return 0 tr 0
  node #1: u0000000000000000 c0000000000000000 hs 1 hw 1 ls 1 lw 1 is 1 iw 1 tr 1 proc client
  node #3: u0000000000000008 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc third
  node #2: u0000000000000010 cffff888800000020 hs 1 hw 1 ls 0 lw 0 is 2 iw 2 tr 1 proc third client
`)
	third.write(answer.free())
	l.expect(l.of(third), `
binder proc state:
proc third
context binder
  thread third: l 02 need_return 0 tr 0
  node #3: u0000000000000099 c0000000000000098 hs 0 hw 1 ls 0 lw 1 is 0 iw 0 tr 1
  ref #2: desc 1 node #1 s 1 w 1 d 0
`)
}

// What is queued, for whom, and its buffers.
func TestLogQueues(t *testing.T) {
	l, server, client := newLoggedPair(t)
	h := server.give(client, 0x10, 0x20)
	secure := server.giveObject(client, node(0x11, 0).withFlags(binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX))
	one, two := client.newThread(), client.newThread()
	l.name(one, "client.1")
	l.name(two, "client.2")
	client.write(
		bcTransaction{handle: h, code: 0xfe, flags: oneWay | binder.TF_CLEAR_BUF, payload: payload{text("0123456"), node(0x99, 0x98)}},
		bcTransaction{handle: h, flags: oneWay, payload: payload{space(0x2000)}},
		bcTransaction{handle: h, flags: oneWay},
	)
	two.write(bcTransaction{handle: 0, code: 0x12})
	one.write(bcTransaction{handle: secure, code: ^uint32(0), flags: binder.TF_ACCEPT_FDS, payload: payload{text("abc")}})
	two.write(bcTransaction{handle: 0, code: 0x13}) // fails
	l.expect("state", `
binder state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    node work #7: u0000000000000099 c0000000000000098
    transaction complete
    transaction complete
    transaction complete
  thread client.1: l 00 need_return 0 tr 0
    outgoing transaction #12: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed
    transaction complete
  thread client.2: l 00 need_return 0 tr 0
    outgoing transaction #11: @ from client:client.2 to server:0 code 12 flags 0 pri 0 a0 r0 elapsed
    transaction complete
    transaction error: 29201
  node #7: u0000000000000099 c0000000000000098 hs 0 hw 0 ls 0 lw 0 is 1 iw 1 tr 1 proc server
  ref #3: desc 1 node #2 s 1 w 1 d 0
  ref #5: desc 2 node #4 s 1 w 1 d 0
proc server
context binder
  thread server: l 02 need_return 0 tr 0
  node #1: u0000000000000000 c0000000000000000 hs 1 hw 1 ls 2 lw 1 is 0 iw 0 tr 1
  node #2: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 3 lw 0 is 1 iw 1 tr 1 proc client
    pending async transaction #9: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 8192:0 offset 28
    pending async transaction #10: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 0:0 offset 2028
  node #4: u0000000000000011 c0000000000000000 hs 1 hw 1 ls 1 lw 0 is 1 iw 1 tr 1 proc client
  ref #8: desc 1 node #7 s 1 w 0 d 0
  buffer #6: 0 size 32:8:0 active
  buffer #9: 28 size 8192:0:0 active
  buffer #10: 2028 size 0:0:0 active
  buffer #11: 2030 size 0:0:0 active
  buffer #12: 2038 size 3:0:LABEL active
  pending transaction #6: @ from client:client to server:0 code fe flags 21 pri 0 a1 r0 elapsed node #2 size 32:8 offset 0
  pending transaction #11: @ from client:client.2 to server:0 code 12 flags 0 pri 0 a0 r0 elapsed node #1 size 0:0 offset 2030
  pending transaction #12: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed node #4 size 3:0 offset 2038
`)
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    node work #5: u0000000000000099 c0000000000000098
    transaction complete
    transaction complete
    transaction complete
  thread client.1: l 00 need_return 0 tr 0
    outgoing transaction #9: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed
    transaction complete
  thread client.2: l 00 need_return 0 tr 0
    outgoing transaction #8: @ from client:client.2 to server:0 code 12 flags 0 pri 0 a0 r0 elapsed
    transaction complete
    transaction error: 29201
proc server
context binder
  node #2: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 3 lw 0 is 1 iw 1 tr 1 proc client
    pending async transaction #6: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 8192:0 offset 28
    pending async transaction #7: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 0:0 offset 2028
  buffer #4: 0 size 32:8:0 active
  buffer #6: 28 size 8192:0:0 active
  buffer #7: 2028 size 0:0:0 active
  buffer #8: 2030 size 0:0:0 active
  buffer #9: 2038 size 3:0:LABEL active
  pending transaction #4: @ from client:client to server:0 code fe flags 21 pri 0 a1 r0 elapsed node #2 size 32:8 offset 0
  pending transaction #8: @ from client:client.2 to server:0 code 12 flags 0 pri 0 a0 r0 elapsed node #1 size 0:0 offset 2030
  pending transaction #9: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed node #3 size 3:0 offset 2038
`)
	server.read()
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    node work #5: u0000000000000099 c0000000000000098
    transaction complete
    transaction complete
    transaction complete
  thread client.1: l 00 need_return 0 tr 0
    outgoing transaction #9: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed
    transaction complete
  thread client.2: l 00 need_return 0 tr 0
    outgoing transaction #8: @ from client:client.2 to server:0 code 12 flags 0 pri 0 a0 r0 elapsed
    transaction complete
    transaction error: 29201
proc server
context binder
  node #2: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 3 lw 0 is 1 iw 1 tr 1 proc client
    pending async transaction #6: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 8192:0 offset 28
    pending async transaction #7: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 0:0 offset 2028
  buffer #4: 0 size 32:8:0 delivered
  buffer #6: 28 size 8192:0:0 active
  buffer #7: 2028 size 0:0:0 active
  buffer #8: 2030 size 0:0:0 active
  buffer #9: 2038 size 3:0:LABEL active
  pending transaction #8: @ from client:client.2 to server:0 code 12 flags 0 pri 0 a0 r0 elapsed node #1 size 0:0 offset 2030
  pending transaction #9: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed node #3 size 3:0 offset 2038
`)
	call := server.read().message(t)
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    node work #5: u0000000000000099 c0000000000000098
    transaction complete
    transaction complete
    transaction complete
  thread client.1: l 00 need_return 0 tr 0
    outgoing transaction #9: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed
    transaction complete
  thread client.2: l 00 need_return 0 tr 0
    outgoing transaction #8: @ from client:client.2 to server:server code 12 flags 0 pri 0 a0 r0 elapsed
    transaction complete
    transaction error: 29201
proc server
context binder
  thread server: l 02 need_return 0 tr 0
    incoming transaction #8: @ from client:client.2 to server:server code 12 flags 0 pri 0 a0 r0 elapsed node #1 size 0:0 offset 2030
  node #2: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 3 lw 0 is 1 iw 1 tr 1 proc client
    pending async transaction #6: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 8192:0 offset 28
    pending async transaction #7: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #2 size 0:0 offset 2028
  buffer #4: 0 size 32:8:0 delivered
  buffer #6: 28 size 8192:0:0 active
  buffer #7: 2028 size 0:0:0 active
  buffer #8: 2030 size 0:0:0 active
  buffer #9: 2038 size 3:0:LABEL active
  pending transaction #9: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed node #3 size 3:0 offset 2038
`)
	server.write(call.free())
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    node work #4: u0000000000000099 c0000000000000098
    transaction complete
    transaction complete
    transaction complete
  thread client.1: l 00 need_return 0 tr 0
    outgoing transaction #8: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed
    transaction complete
  thread client.2: l 00 need_return 0 tr 0
    outgoing transaction #7: @ from client:client.2 to server:server code 12 flags 0 pri 0 a0 r0 elapsed
    transaction complete
    transaction error: 29201
proc server
context binder
  thread server: l 02 need_return 0 tr 0
    incoming transaction #7: @ from client:client.2 to server:server code 12 flags 0 pri 0 a0 r0 elapsed buffer free
  node #1: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 3 lw 0 is 1 iw 1 tr 1 proc client
    pending async transaction #5: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #1 size 8192:0 offset 28
    pending async transaction #6: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #1 size 0:0 offset 2028
  buffer #3: 0 size 32:8:0 delivered
  buffer #5: 28 size 8192:0:0 active
  buffer #6: 2028 size 0:0:0 active
  buffer #8: 2038 size 3:0:LABEL active
  pending transaction #8: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed node #2 size 3:0 offset 2038
`)
	server.write(bcReply{flags: binder.TF_STATUS_CODE, payload: payload{words(7)}})
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    node work #4: u0000000000000099 c0000000000000098
    transaction complete
    transaction complete
    transaction complete
  thread client.1: l 00 need_return 0 tr 0
    outgoing transaction #7: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed
    transaction complete
  thread client.2: l 00 need_return 0 tr 0
    transaction complete
    transaction error: 29201
    pending transaction #8: @ from server:server to client:client.2 code 0 flags 8 pri 0 a0 r1 elapsed size 4:0 offset 0
  buffer #8: 0 size 4:0:0 active
proc server
context binder
  thread server: l 02 need_return 0 tr 0
    transaction complete
  node #1: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 3 lw 0 is 1 iw 1 tr 1 proc client
    pending async transaction #5: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #1 size 8192:0 offset 28
    pending async transaction #6: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #1 size 0:0 offset 2028
  buffer #3: 0 size 32:8:0 delivered
  buffer #5: 28 size 8192:0:0 active
  buffer #6: 2028 size 0:0:0 active
  buffer #7: 2038 size 3:0:LABEL active
  pending transaction #7: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed node #2 size 3:0 offset 2038
`)
	server.expectInReads(brTransactionComplete)
	two.read()
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    node work #4: u0000000000000099 c0000000000000098
    transaction complete
    transaction complete
    transaction complete
  thread client.1: l 00 need_return 0 tr 0
    outgoing transaction #7: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed
    transaction complete
  buffer #8: 0 size 4:0:0 delivered
proc server
context binder
  node #1: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 3 lw 0 is 1 iw 1 tr 1 proc client
    pending async transaction #5: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #1 size 8192:0 offset 28
    pending async transaction #6: @ from client:client to server:0 code 0 flags 1 pri 0 a1 r0 elapsed node #1 size 0:0 offset 2028
  buffer #3: 0 size 32:8:0 delivered
  buffer #5: 28 size 8192:0:0 active
  buffer #6: 2028 size 0:0:0 active
  buffer #7: 2038 size 3:0:LABEL active
  pending transaction #7: @ from client:client.1 to server:0 code ffffffff flags 10 pri 0 a0 r0 elapsed node #2 size 3:0 offset 2038
`)
}

// A call back into a waiting thread, and another call that it has made.
func TestLogChain(t *testing.T) {
	l, server, client := newLoggedPair(t)
	client.write(bcTransaction{payload: payload{node(0x30, 0)}})
	call := server.read().message(t)
	h := call.handle(0)
	server.write(bcTransaction{handle: h, code: 1})
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    outgoing transaction #2: @ from client:client to server:server code 0 flags 0 pri 0 a0 r0 elapsed
    node work #3: u0000000000000030 c0000000000000000
    transaction complete
    pending transaction #4: @ from server:server to client:client code 1 flags 0 pri 0 a0 r0 elapsed node #3 size 0:0 offset 0
  buffer #4: 0 size 0:0:0 active
proc server
context binder
  thread server: l 02 need_return 0 tr 0
    outgoing transaction #4: @ from server:server to client:client code 1 flags 0 pri 0 a0 r0 elapsed
    incoming transaction #2: @ from client:client to server:server code 0 flags 0 pri 0 a0 r0 elapsed node #1 size 24:8 offset 0
    transaction complete
  buffer #2: 0 size 24:8:0 active
`)
	client.read()
	client.write(bcTransaction{code: 2})
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    outgoing transaction #5: @ from client:client to server:server code 2 flags 0 pri 0 a0 r0 elapsed
    incoming transaction #4: @ from server:server to client:client code 1 flags 0 pri 0 a0 r0 elapsed node #3 size 0:0 offset 0
    outgoing transaction #2: @ from client:client to server:server code 0 flags 0 pri 0 a0 r0 elapsed
    transaction complete
  buffer #4: 0 size 0:0:0 active
proc server
context binder
  thread server: l 02 need_return 0 tr 0
    outgoing transaction #4: @ from server:server to client:client code 1 flags 0 pri 0 a0 r0 elapsed
    incoming transaction #2: @ from client:client to server:server code 0 flags 0 pri 0 a0 r0 elapsed node #1 size 24:8 offset 0
    transaction complete
    pending transaction #5: @ from client:client to server:server code 2 flags 0 pri 0 a0 r0 elapsed node #1 size 0:0 offset 20
  buffer #2: 0 size 24:8:0 active
  buffer #5: 20 size 0:0:0 active
`)
}

// Threads in every state.
func TestLogThreads(t *testing.T) {
	l, _, client := newLoggedPair(t)
	client.setMaxThreads(1)
	named := func(name string, th *thread) *thread {
		l.name(th, name)
		return th
	}
	fresh := named("fresh", client.newBareThread())
	fresh.poll(unix.POLLIN)
	named("plain", client.newThread())
	waiting := named("waiting", client.newLooper())
	waiting.startRead()
	named("unasked", client.newThread()).write(bcRegisterLooper)
	named("both", client.newThread()).write(bcEnterLooper, bcRegisterLooper)
	named("exited", client.newThread()).write(bcEnterLooper, bcExitLooper)
	polling := named("polling", client.newThread())
	polling.poll(unix.POLLIN)
	polling.write()
	calling := named("calling", client.newThread())
	calling.startWriteRead(bcTransaction{handle: 0})
	first, inherited := 0, ""
	if differs(t, onFirstRead) {
		first = 1
	}
	l.expect("state", fmt.Sprintf(`
binder state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
  thread fresh: l 20 need_return %d tr 0
  thread plain: l 00 need_return 0 tr 0
  thread waiting: l 12 need_return 0 tr 0
  thread unasked: l 09 need_return 0 tr 0
  thread both: l 0b need_return 0 tr 0
  thread exited: l 06 need_return 0 tr 0
  thread polling: l 20 need_return 0 tr 0
  thread calling: l 10 need_return 0 tr 0
    outgoing transaction #2: @ from client:calling to server:0 code 0 flags 0 pri 0 a0 r0 elapsed
    transaction complete
proc server
context binder
  thread server: l 02 need_return 0 tr 0
  node #1: u0000000000000000 c0000000000000000 hs 1 hw 1 ls 2 lw 1 is 0 iw 0 tr 1
  buffer #2: 0 size 0:0:0 active
  pending transaction #2: @ from client:calling to server:0 code 0 flags 0 pri 0 a0 r0 elapsed node #1 size 0:0 offset 0
`, first))
	child := client.fork()
	if differs(t, onOpener) {
		l.name(child.thread, "child")
		child.write(bcEnterLooper)
		inherited = "  thread child: l 02 need_return 1 tr 0\n"
	}
	child.close(child.fd)
	waiting.finishExpect(brSpawnLooper)
	calling.finishExpect(brNoop, brTransactionComplete)
	l.expect(l.of(client), `
binder proc state:
proc client
context binder
  thread client: l 02 need_return 1 tr 0
  thread fresh: l 20 need_return 1 tr 0
  thread plain: l 00 need_return 1 tr 0
  thread waiting: l 02 need_return 0 tr 0
  thread unasked: l 09 need_return 1 tr 0
  thread both: l 0b need_return 1 tr 0
  thread exited: l 06 need_return 1 tr 0
  thread polling: l 20 need_return 1 tr 0
  thread calling: l 00 need_return 0 tr 0
    outgoing transaction #1: @ from client:calling to server:0 code 0 flags 0 pri 0 a0 r0 elapsed
`+inherited)
}

// The ends of processes, as reported to those who requested it, and what remains.
func TestLogDeath(t *testing.T) {
	l, server, client := newLoggedPair(t)
	third := newProcess(t)
	l.name(third.thread, "third")
	a, b := server.give(client, 0x10, 0), server.give(client, 0x11, 0xffff_0000_0000_0000)
	c, d := server.give(client, 0x12, 0), server.give(third, 0x13, 0)
	client.write(bcRequestDeath(a, 0xa), bcRequestDeath(b, 0xb), bcRequestDeath(c, 0xc))
	third.write(bcRequestDeath(d, 0xd), bcClearDeath(d, 0xd))
	l.expect("transactions", `
binder transactions:
proc third
context binder
  thread third: l 02 need_return 0 tr 0
    has cleared death notification
`)
	th := third.newThread()
	l.name(th, "third.1")
	th.startWriteRead(bcTransaction{handle: d})
	server.kill()
	th.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	eventually(t, "the server is gone", func() bool { return !strings.Contains(l.read("state"), "proc server\n") })
	l.expect("state", `
binder state:
dead nodes:
  node #7: u0000000000000013 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc third
  node #5: u0000000000000012 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
  node #3: u0000000000000011 cffff000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
  node #1: u0000000000000010 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
proc third
context binder
  thread third: l 02 need_return 0 tr 0
    has cleared death notification
  thread third.1: l 00 need_return 0 tr 0
  ref #8: desc 1 dead node #7 s 1 w 1 d 0
proc client
context binder
  thread client: l 02 need_return 0 tr 0
  ref #2: desc 1 dead node #1 s 1 w 1 d @
  ref #4: desc 2 dead node #3 s 1 w 1 d @
  ref #6: desc 3 dead node #5 s 1 w 1 d @
  has dead binder
  has dead binder
  has dead binder
`)
	client.expect(brNoop, brDeadBinder(0xa))
	client.write(bcClearDeath(b, 0xb))
	l.expect("state", `
binder state:
dead nodes:
  node #7: u0000000000000013 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc third
  node #5: u0000000000000012 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
  node #3: u0000000000000011 cffff000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
  node #1: u0000000000000010 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
proc third
context binder
  thread third: l 02 need_return 0 tr 0
    has cleared death notification
  thread third.1: l 00 need_return 0 tr 0
  ref #8: desc 1 dead node #7 s 1 w 1 d 0
proc client
context binder
  thread client: l 02 need_return 0 tr 0
  ref #2: desc 1 dead node #1 s 1 w 1 d @
  ref #4: desc 2 dead node #3 s 1 w 1 d 0
  ref #6: desc 3 dead node #5 s 1 w 1 d @
  has cleared dead binder
  has dead binder
  has delivered dead binder
`)
	client.write(bcDeadBinderDone(0xa), bcClearDeath(a, 0xa), bcRelease(a), bcDecrefs(a))
	l.expect("state", `
binder state:
dead nodes:
  node #5: u0000000000000013 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc third
  node #3: u0000000000000012 c0000000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
  node #1: u0000000000000011 cffff000000000000 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
proc third
context binder
  thread third: l 02 need_return 0 tr 0
    has cleared death notification
  thread third.1: l 00 need_return 0 tr 0
  ref #6: desc 1 dead node #5 s 1 w 1 d 0
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    has cleared death notification
  ref #2: desc 2 dead node #1 s 1 w 1 d 0
  ref #4: desc 3 dead node #3 s 1 w 1 d @
  has cleared dead binder
  has dead binder
`)
	l.expect("transactions", `
binder transactions:
proc third
context binder
  thread third: l 02 need_return 0 tr 0
    has cleared death notification
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    has cleared death notification
  has cleared dead binder
  has dead binder
`)
}

// A process that opens a device twice is two processes, of which only the first is
// listed.
func TestLogProcesses(t *testing.T) {
	l := newLogs(t)
	p, q := newProcess(t), newBareProcess(t)
	l.name(p.thread, "client")
	l.name(q.thread, "bare")
	second := p.again()
	q.fd = q.open("/dev/hwbinder", unix.O_RDWR)
	require.True(t, l.listed(p))
	require.True(t, l.listed(q))
	l.expect(l.of(p), `
binder proc state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
binder proc state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
`)
	l.expect(l.of(q), `
binder proc state:
proc bare
context hwbinder
`)
	p.munmap()
	p.close(p.fd)
	eventually(t, "the first one is gone", func() bool { return !l.listed(p) })
	_, err := p.tryOpen(filepath.Join(filepath.Dir(statsFile), l.of(p)), unix.O_RDONLY)
	require.Equal(t, unix.ENOENT, err)
	eventually(t, "only the second one is left", func() bool { return strings.Count(l.read("state"), "proc client\n") == 1 })
	third := p.again()
	require.False(t, l.listed(p))
	l.expect("state", `
binder state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
proc bare
context hwbinder
proc client
context binder
  thread client: l 02 need_return 0 tr 0
`)
	for _, r := range []*process{second, third} {
		r.munmap()
		r.close(r.fd)
	}
	eventually(t, "all are gone", func() bool { return !strings.Contains(l.read("state"), "proc client\n") })
	p.again()
	require.True(t, l.listed(p))
}

// A process is listed in the instance whose device it opened first. Everything else
// covers all instances.
func TestLogInstances(t *testing.T) {
	l := newLogs(t)
	one, two := mountBinderfs(t, "stats=global"), mountBinderfs(t, "stats=global")
	p := newBareProcess(t)
	l.name(p.thread, "client")
	for _, dir := range []string{one, two} {
		p.fd = p.open(dir+"/hwbinder", unix.O_RDWR)
	}
	p.write(bcEnterLooper)
	require.Equal(t, []string{strconv.Itoa(p.pid())}, names(t, one+"/binder_logs/proc"))
	require.Empty(t, names(t, two+"/binder_logs/proc"))
	_, err := os.Stat(filepath.Join(two, "binder_logs", l.of(p)))
	require.ErrorIs(t, err, unix.ENOENT)
	for _, dir := range []string{one, two} {
		state, err := os.ReadFile(dir + "/binder_logs/state")
		require.NoError(t, err)
		require.Equal(t, "binder state:\nproc client\ncontext hwbinder\n  thread client: l 02 need_return 0 tr 0\nproc client\ncontext hwbinder\n", l.mask(string(state)))
	}
	file := filepath.Join(one, "binder_logs", l.of(p))
	require.Equal(t, lstat(t, file).Ino, lstat(t, file).Ino)
	for _, dir := range []string{"/binder_logs", "/binder_logs/proc"} {
		require.Equal(t, unix.EPERM, unix.Mkdir(one+dir+"/1", 0o755))
		_, err := unix.Open(one+dir+"/1", unix.O_CREAT|unix.O_RDWR, 0o600)
		require.Equal(t, unix.EACCES, err)
	}
	require.Equal(t, unix.EPERM, unix.Unlink(file))
	require.Equal(t, unix.EPERM, unix.Rename(file, one+"/binder_logs/proc/1"))
	fd, err := unix.Open(file, unix.O_RDWR, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("x"))
	require.Equal(t, unix.EINVAL, err)
}

// The files are listed as Linux lists them: the last one first.
func TestLogListing(t *testing.T) {
	newLogs(t)
	dir := mountBinderfs(t, "stats=global")
	require.Equal(t, []string{
		"proc", "failed_transaction_log", "transaction_log", "transactions_hashed", "transactions", "stats", "state_hashed", "state",
	}, names(t, dir+"/binder_logs"))
	var want []string
	for range 50 {
		p := newBareProcess(t)
		p.fd = p.open(dir+"/binder", unix.O_RDWR)
		want = append([]string{strconv.Itoa(p.pid())}, want...)
	}
	require.Equal(t, want, names(t, dir+"/binder_logs/proc"))
}

// of returns the name of p's log.
func (l *logs) of(p *process) string { return fmt.Sprintf("proc/%d", p.pid()) }

// listed returns whether p has a log.
func (l *logs) listed(p *process) bool {
	l.t.Helper()
	entries, err := os.ReadDir(filepath.Join(filepath.Dir(statsFile), "proc"))
	require.NoError(l.t, err)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.Type().IsRegular() && e.Name() == strconv.Itoa(p.pid())
	})
}

// The counts of each process.
func TestLogStats(t *testing.T) {
	l, server, client := newLoggedPair(t)
	before := l.counts()
	h := server.give(client, 0x10, 0)
	client.write(bcRequestDeath(h, 1), bcTransaction{handle: h, flags: oneWay, payload: payload{space(0x2000)}})
	client.write(bcTransaction{handle: h, flags: oneWay, payload: payload{space(0x1000)}})
	client.newThread().write(bcTransaction{handle: 7})
	client.write(bcTransaction{edit: func(td *binder.TransactionData) { td.DataSize = 1 << 20 }})
	th := client.newThread()
	th.write(bcTransaction{payload: payload{node(0x30, 0)}})
	server.setMaxThreads(7)
	one := server.read().message(t)
	server.write(one.free())
	client.newLooper().startRead()
	wrong := client.newThread()
	for _, cmd := range []uint32{binder.BC_ATTEMPT_ACQUIRE, binder.BC_ACQUIRE_RESULT, 22, 255, 4} {
		require.Equal(t, unix.EINVAL, wrong.writeRead(0, bc(cmd)).err)
	}
	bare := newBareProcess(t)
	l.name(bare.thread, "bare")
	bare.fd = bare.open(defaultDevice, unix.O_RDWR)
	l.expectStats(`
proc bare
context binder
  threads: 0
  requested threads: 0+0/0
  ready threads 0
  free async space 0
  nodes: 0
  refs: 0 s 0 w 0
  buffers: 0
  pages: 0:0
  pages high watermark: 0
  pending transactions: 0
proc client
context binder
  threads: 5
  requested threads: 0+0/0
  ready threads 1
  free async space 65536
  nodes: 1
  refs: 1 s 1 w 1
  buffers: 0
  pages: 0:32
  pages high watermark: 1
  pending transactions: 0
  BC_TRANSACTION: 6
  BC_ACQUIRE_RESULT: 1
  BC_FREE_BUFFER: 1
  BC_INCREFS: 2
  BC_ACQUIRE: 1
  BC_ATTEMPT_ACQUIRE: 1
  BC_ENTER_LOOPER: 2
  BC_REQUEST_DEATH_NOTIFICATION: 1
  BR_REPLY: 1
  BR_TRANSACTION_COMPLETE: 1
proc server
context binder
  threads: 1
  requested threads: 1+0/7
  ready threads 0
  free async space 61440
  nodes: 2
  refs: 1 s 1 w 0
  buffers: 2
  pages: 2:30
  pages high watermark: 4
  pending transactions: 2
  BC_REPLY: 1
  BC_FREE_BUFFER: 2
  BC_INCREFS_DONE: 1
  BC_ACQUIRE_DONE: 1
  BC_ENTER_LOOPER: 1
  BR_TRANSACTION: 2
  BR_TRANSACTION_COMPLETE: 1
  BR_INCREFS: 1
  BR_ACQUIRE: 1
  BR_SPAWN_LOOPER: 1
`)
	l.expectCounts(before, `
BC_ACQUIRE: 1
BC_ACQUIRE_DONE: 1
BC_ACQUIRE_RESULT: 1
BC_ATTEMPT_ACQUIRE: 1
BC_ENTER_LOOPER: 1
BC_FREE_BUFFER: 3
BC_INCREFS: 2
BC_INCREFS_DONE: 1
BC_REPLY: 1
BC_REQUEST_DEATH_NOTIFICATION: 1
BC_TRANSACTION: 6
BR_ACQUIRE: 1
BR_INCREFS: 1
BR_REPLY: 1
BR_SPAWN_LOOPER: 1
BR_TRANSACTION: 2
BR_TRANSACTION_COMPLETE: 2
death: active 1 total 1
node: active 2 total 2
proc: active 1 total 1
ref: active 2 total 2
thread: active 4 total 4
transaction: active 2 total 7
transaction_complete: active 3 total 6
`)
	client.munmap()
	l.expectStats(`
proc bare
context binder
  threads: 0
  requested threads: 0+0/0
  ready threads 0
  free async space 0
  nodes: 0
  refs: 0 s 0 w 0
  buffers: 0
  pages: 0:0
  pages high watermark: 0
  pending transactions: 0
proc client
context binder
  threads: 5
  requested threads: 0+0/0
  ready threads 1
  free async space 65536
  nodes: 1
  refs: 1 s 1 w 1
  buffers: 0
  pages: 0:0
  pages high watermark: 1
  pending transactions: 0
  BC_TRANSACTION: 6
  BC_ACQUIRE_RESULT: 1
  BC_FREE_BUFFER: 1
  BC_INCREFS: 2
  BC_ACQUIRE: 1
  BC_ATTEMPT_ACQUIRE: 1
  BC_ENTER_LOOPER: 2
  BC_REQUEST_DEATH_NOTIFICATION: 1
  BR_REPLY: 1
  BR_TRANSACTION_COMPLETE: 1
proc server
context binder
  threads: 1
  requested threads: 1+0/7
  ready threads 0
  free async space 61440
  nodes: 2
  refs: 1 s 1 w 0
  buffers: 2
  pages: 2:30
  pages high watermark: 4
  pending transactions: 2
  BC_REPLY: 1
  BC_FREE_BUFFER: 2
  BC_INCREFS_DONE: 1
  BC_ACQUIRE_DONE: 1
  BC_ENTER_LOOPER: 1
  BR_TRANSACTION: 2
  BR_TRANSACTION_COMPLETE: 1
  BR_INCREFS: 1
  BR_ACQUIRE: 1
  BR_SPAWN_LOOPER: 1
`)
	client.kill()
	eventually(t, "the client is gone", func() bool { return !strings.Contains(l.read("stats"), "proc client") })
	server.kill()
	bare.kill()
	eventually(t, "all are gone", func() bool { return !strings.Contains(l.read("stats"), "proc ") })
	l.expectCounts(before, `
BC_ACQUIRE: 1
BC_ACQUIRE_DONE: 1
BC_ACQUIRE_RESULT: 1
BC_ATTEMPT_ACQUIRE: 1
BC_ENTER_LOOPER: 1
BC_FREE_BUFFER: 3
BC_INCREFS: 2
BC_INCREFS_DONE: 1
BC_REPLY: 1
BC_REQUEST_DEATH_NOTIFICATION: 1
BC_TRANSACTION: 6
BR_ACQUIRE: 1
BR_INCREFS: 1
BR_REPLY: 1
BR_SPAWN_LOOPER: 1
BR_TRANSACTION: 2
BR_TRANSACTION_COMPLETE: 2
death: active 0 total 1
node: active -1 total 2
proc: active -2 total 1
ref: active 0 total 2
thread: active -2 total 4
transaction: active 0 total 7
transaction_complete: active 0 total 6
`)
}

var idlePages = regexp.MustCompile(`pages: \d+:\d+:\d+`)

// expectStats checks the log stats for single processes.
func (l *logs) expectStats(want string) {
	l.t.Helper()
	_, each, _ := strings.Cut(l.read("stats"), "\nproc ")
	// An idle page may be freed at any time.
	each = idlePages.ReplaceAllStringFunc(each, func(s string) string {
		var used, idle, absent int
		_, err := fmt.Sscanf(s, "pages: %d:%d:%d", &used, &idle, &absent)
		require.NoError(l.t, err)
		return fmt.Sprintf("pages: %d:%d", used, idle+absent)
	})
	l.compare("stats", "proc "+each, want)
}

// counts returns the totals in the log stats: the lines and their numbers.
func (l *logs) counts() map[string][]int {
	l.t.Helper()
	counts := make(map[string][]int)
	global, _, _ := strings.Cut(l.raw("stats"), "\nproc ")
	for line := range strings.Lines(global) {
		var numbers []int
		for _, n := range decimal.FindAllString(line, -1) {
			i, _ := strconv.Atoi(n)
			numbers = append(numbers, i)
		}
		counts[decimal.ReplaceAllString(strings.TrimSpace(line), "%d")+"\n"] = numbers
	}
	return counts
}

// expectCounts checks by how much the totals have changed since before.
func (l *logs) expectCounts(before map[string][]int, want string) {
	l.t.Helper()
	now := l.counts()
	var changes []string
	for line, numbers := range now {
		changed := false
		var args []any
		for i, n := range numbers {
			if old := before[line]; old != nil {
				n -= old[i]
			}
			changed = changed || n != 0
			args = append(args, n)
		}
		if changed {
			changes = append(changes, fmt.Sprintf(line, args...))
		}
	}
	slices.Sort(changes)
	l.compare("changes of stats", strings.Join(changes, ""), want)
}

// The last 32 transactions, and the last that have failed.
func TestLogTransactions(t *testing.T) {
	l, server, client := newLoggedPair(t)
	h := server.give(client, 0x10, 0)
	huge := func(td *binder.TransactionData) { td.DataSize, td.OffsetsSize = 1<<32+5, 1<<63+16 }
	client.call(server.thread, bcTransaction{handle: h, payload: payload{text("abc")}}, payload{node(0x11, 0)})
	client.write(bcTransaction{handle: h, flags: oneWay})
	th := client.newThread()
	l.name(th, "client.1")
	for _, tr := range []bcTransaction{
		{handle: 7},
		{handle: ^uint32(0)},
		{edit: huge},
		{handle: h, payload: payload{file(0)}},
		{payload: payload{handle(77)}},
		{handle: h, edit: func(td *binder.TransactionData) { td.OffsetsSize = 3 }},
		{handle: h, edit: func(td *binder.TransactionData) { td.DataSize, td.Buffer = 8, 0 }},
		{handle: h, flags: oneWay, payload: payload{space(mapSize/2 + 8)}},
	} {
		th.write(tr)
		th.read()
	}
	th.write(bcReply{handle: 5})
	th.read()
	again := server.again()
	l.name(again.thread, "server")
	again.write(bcTransaction{})
	again.read()
	unmapped := newBareProcess(t)
	l.name(unmapped.thread, "unmapped")
	unmapped.fd = unmapped.open(defaultDevice, unix.O_RDWR)
	unmapped.write(bcTransaction{})
	server.expectInReads(&message{flags: oneWay, ptr: 0x10})
	server.read()
	server.write(bcReply{payload: payload{text("x")}})
	l.expectLines("transaction_log", `
#2: call  from client:client to server:0 context binder node #1 handle 0 size 0:0 ret 0/0 l=0
#3: reply from server:server to client:client context binder node 0 handle 0 size 24:8 ret 0/0 l=0
#5: call  from client:client to server:0 context binder node #4 handle 1 size 3:0 ret 0/0 l=0
#6: reply from server:server to client:client context binder node 0 handle 0 size 24:8 ret 0/0 l=0
#7: async from client:client to server:0 context binder node #4 handle 1 size 0:0 ret 0/0 l=0
#8: call  from client:client.1 to 0:0 context binder node 0 handle 7 size 0:0 ret 29201/-22 l=LINE
#9: call  from client:client.1 to 0:0 context binder node 0 handle -1 size 0:0 ret 29201/-22 l=LINE
#10: call  from client:client.1 to server:0 context binder node #1 handle 0 size 5:16 ret 29201/-28 l=LINE
#11: call  from client:client.1 to server:0 context binder node #4 handle 1 size 24:8 ret 29201/-1 l=LINE
#12: call  from client:client.1 to server:0 context binder node #1 handle 0 size 24:8 ret 29201/-22 l=LINE
#13: call  from client:client.1 to server:0 context binder node #4 handle 1 size 0:3 ret 29201/-22 l=LINE
#14: call  from client:client.1 to server:0 context binder node #4 handle 1 size 8:0 ret 29201/-14 l=LINE
#15: async from client:client.1 to server:0 context binder node #4 handle 1 size 65544:0 ret 29201/-28 l=LINE
#16: reply from client:client.1 to 0:0 context binder node 0 handle 5 size 0:0 ret 29201/-71 l=LINE
#17: call  from server:server to 0:0 context binder node 0 handle 0 size 0:0 ret 29201/-22 l=LINE
#18: call  from unmapped:unmapped to server:0 context binder node #1 handle 0 size 0:0 ret 0/0 l=0
#19: reply from server:server to unmapped:unmapped context binder node 0 handle 0 size 1:0 ret 29189/-3 l=LINE
`)
	l.expectLines("failed_transaction_log", `
#3: call  from client:client.1 to 0:0 context binder node 0 handle 7 size 0:0 ret 29201/-22 l=LINE
#4: call  from client:client.1 to 0:0 context binder node 0 handle -1 size 0:0 ret 29201/-22 l=LINE
#5: call  from client:client.1 to server:0 context binder node #1 handle 0 size 5:16 ret 29201/-28 l=LINE
#6: call  from client:client.1 to server:0 context binder node #2 handle 1 size 24:8 ret 29201/-1 l=LINE
#7: call  from client:client.1 to server:0 context binder node #1 handle 0 size 24:8 ret 29201/-22 l=LINE
#8: call  from client:client.1 to server:0 context binder node #2 handle 1 size 0:3 ret 29201/-22 l=LINE
#9: call  from client:client.1 to server:0 context binder node #2 handle 1 size 8:0 ret 29201/-14 l=LINE
#10: async from client:client.1 to server:0 context binder node #2 handle 1 size 65544:0 ret 29201/-28 l=LINE
#11: reply from client:client.1 to 0:0 context binder node 0 handle 5 size 0:0 ret 29201/-71 l=LINE
#12: call  from server:server to 0:0 context binder node 0 handle 0 size 0:0 ret 29201/-22 l=LINE
#13: reply from server:server to unmapped:unmapped context binder node 0 handle 0 size 1:0 ret 29189/-3 l=LINE
`)

	for range 30 {
		client.write(bcTransaction{handle: h, flags: oneWay})
	}
	th.write(bcTransaction{handle: 99})
	th.read()
	server.kill()
	eventually(t, "the server is gone", func() bool {
		th.write(bcTransaction{handle: h, code: 1})
		return expectOne(th.read()) == brDeadReply
	})
	require.Len(t, strings.Split(l.raw("transaction_log"), "\n"), 33)
	require.NotContains(t, l.read("transaction_log"), "reply")
}

// expectOne returns the only return other than BR_NOOP.
func expectOne(rs returns) br { return rs[len(rs)-1] }

// The logs with hashes show the same, except for the addresses given by applications:
// equal ones stay equal, and zero stays zero.
func TestLogHashed(t *testing.T) {
	l, server, client := newLoggedPair(t)
	h := server.give(client, 0x10, 0)
	server.give(client, 0x11, 0x10)
	client.write(bcTransaction{handle: h, flags: oneWay, payload: payload{node(0x99, 0x98)}})
	for _, name := range []string{"state", "transactions"} {
		plain, hashed := l.read(name), l.read(name+"_hashed")
		require.Contains(t, plain, "u0000000000000099 c0000000000000098")
		require.NotContains(t, hashed, "0000000000000099")
		addresses := regexp.MustCompile(`\b[uc]([0-9a-f]{16})\b`)
		require.Equal(t, addresses.ReplaceAllString(plain, "@"), addresses.ReplaceAllString(hashed, "@"))
		same := make(map[string]string)
		was, is := addresses.FindAllStringSubmatch(plain, -1), addresses.FindAllStringSubmatch(hashed, -1)
		for i := range was {
			require.Regexp(t, "^00000000", is[i][1])
			if other, ok := same[was[i][1]]; ok {
				require.Equal(t, other, is[i][1])
			}
			same[was[i][1]] = is[i][1]
		}
		if zero, ok := same["0000000000000000"]; ok {
			require.Equal(t, "0000000000000000", zero)
		}
	}
}

// Everybody can read the logs, and nobody can write them.
func TestLogFiles(t *testing.T) {
	newLogs(t)
	p := newProcess(t)
	dir := filepath.Dir(statsFile)
	p.setUser(1000)
	for _, name := range []string{
		"state", "state_hashed", "stats", "transactions", "transactions_hashed",
		"transaction_log", "failed_transaction_log", fmt.Sprintf("proc/%d", p.pid()),
	} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o444), info.Mode(), name)
		require.Zero(t, info.Size(), name)
		p.close(p.open(path, unix.O_RDONLY))
		_, err = p.tryOpen(path, unix.O_WRONLY)
		require.Equal(t, unix.EACCES, err, name)
	}
	for _, name := range []string{"proc/0", "proc/self", "proc/1x", "proc/99999999999", "proc/-1", "x"} {
		_, err := p.tryOpen(filepath.Join(dir, name), unix.O_RDONLY)
		require.Equal(t, unix.ENOENT, err, name)
	}
	info, err := os.Stat(filepath.Join(dir, "proc"))
	require.NoError(t, err)
	require.Equal(t, os.ModeDir|0o755, info.Mode())

	// A log can be read in pieces.
	l := newLogs(t)
	f, err := os.Open(filepath.Join(dir, "state"))
	require.NoError(t, err)
	defer f.Close()
	var text []byte
	for b := make([]byte, 7); ; {
		n, err := f.Read(b)
		text = append(text, b[:n]...)
		if n == 0 {
			require.Equal(t, io.EOF, err)
			break
		}
	}
	require.Equal(t, l.raw("state"), string(text))
	at := make([]byte, 5)
	_, err = f.ReadAt(at, 7)
	require.NoError(t, err)
	require.Equal(t, text[7:12], at)
}

// Freezing, as shown for those who are notified of it, and calls to frozen processes.
func TestLogFreeze(t *testing.T) {
	server, client, freezer, h := newFreezable(t)
	l := newLogs(t)
	l.name(server.thread, "server")
	l.name(client.thread, "client")
	l.name(freezer.thread, "freezer")
	before := l.counts()
	client.watch(h, 0xf)
	freezer.freeze(server)
	l.expect("state", `
binder state:
proc freezer
context binder
  thread freezer: l 02 need_return 0 tr 0
proc client
context binder
  thread client: l 02 need_return 0 tr 0
  ref #3: desc 1 node #2 s 1 w 1 d 0
  has frozen binder
proc server
context binder
  thread server: l 02 need_return 0 tr 0
  node #1: u0000000000000000 c0000000000000000 hs 1 hw 1 ls 1 lw 1 is 0 iw 0 tr 1
  node #2: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc client
`)
	client.expect(brNoop, brFrozenBinder(0xf, true))
	l.expect(l.of(client), `
binder proc state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
  ref #2: desc 1 node #1 s 1 w 1 d 0
  has delivered freeze binder
`)
	th := client.newThread()
	l.name(th, "client.1")
	th.write(bcTransaction{handle: h, flags: oneWay | binder.TF_UPDATE_TXN, payload: payload{text("new")}})
	client.write(bcTransaction{handle: h})
	l.expect("state", `
binder state:
proc freezer
context binder
  thread freezer: l 02 need_return 0 tr 0
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    transaction error: 29202
  thread client.1: l 00 need_return 0 tr 0
    unknown work: type 3
  ref #3: desc 1 node #2 s 1 w 1 d 0
  has delivered freeze binder
proc server
context binder
  thread server: l 02 need_return 0 tr 0
  node #1: u0000000000000000 c0000000000000000 hs 1 hw 1 ls 1 lw 1 is 0 iw 0 tr 1
  node #2: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 1 lw 0 is 1 iw 1 tr 1 proc client
  buffer #4: 0 size 3:0:0 active
  pending transaction #4: @ from client:client.1 to server:0 code 0 flags 41 pri 0 a1 r0 elapsed node #2 size 3:0 offset 0
`)
	l.expectLines("failed_transaction_log", `
#2: call  from client:client to server:0 context binder node #1 handle 1 size 0:0 ret 29202/0 l=LINE
`)
	client.read()
	client.write(bcFreezeDone(0xf), bcClearFreeze(h, 0xf))
	l.expect("transactions", `
binder transactions:
proc client
context binder
  thread client.1: l 00 need_return 0 tr 0
    unknown work: type 3
  has cleared freeze notification
proc server
context binder
  node #1: u0000000000000010 c0000000000000020 hs 1 hw 1 ls 1 lw 0 is 1 iw 1 tr 1 proc client
  buffer #2: 0 size 3:0:0 active
  pending transaction #2: @ from client:client.1 to server:0 code 0 flags 41 pri 0 a1 r0 elapsed node #1 size 3:0 offset 0
`)
	client.expect(brNoop, brClearFreezeDone(0xf))
	l.expectCounts(before, `
BC_CLEAR_FREEZE_NOTIFICATION: 1
BC_FREEZE_NOTIFICATION_DONE: 2
BC_REQUEST_FREEZE_NOTIFICATION: 1
BC_TRANSACTION: 2
BR_CLEAR_FREEZE_NOTIFICATION_DONE: 1
BR_FROZEN_BINDER: 2
BR_FROZEN_REPLY: 1
freeze: active 0 total 1
thread: active 1 total 1
transaction: active 1 total 2
transaction_complete: active 1 total 2
`)
}

// Suspected one-way spam.
func TestLogSpam(t *testing.T) {
	l, _, client := newLoggedPair(t)
	client.setSpamDetection(1)
	client.flood(6, 8192)
	for range 4 {
		client.write(bcTransaction{flags: oneWay, payload: payload{space(3000)}})
	}
	l.expect(l.of(client), `
binder proc state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    transaction complete
    unknown work: type 4
    transaction complete
    transaction complete
`)
}

// Showing a node uses it for a moment, and makes its owner look for reference
// notifications. A node that only a call uses has none, but the same log shows that there
// is something to look at.
func TestLogMakesWork(t *testing.T) {
	l, server, client := newLoggedPair(t)
	h := server.give(client, 0x10, 0)
	caller, callee := client.newThread(), server.newLooper()
	l.name(caller, "caller")
	l.name(callee, "callee")
	caller.write(bcTransaction{handle: h})
	callee.read()
	client.write(bcRelease(h), bcDecrefs(h))
	for range 3 {
		server.expectNothing()
		l.expect(l.of(server), `
binder proc state:
proc server
context binder
  thread server: l 02 need_return 0 tr 0
  thread callee: l 02 need_return 0 tr 0
    incoming transaction #3: @ from client:caller to server:callee code 0 flags 0 pri 0 a0 r0 elapsed node #2 size 0:0 offset 0
  node #1: u0000000000000000 c0000000000000000 hs 1 hw 1 ls 1 lw 1 is 0 iw 0 tr 1
  node #2: u0000000000000010 c0000000000000000 hs 1 hw 1 ls 1 lw 0 is 0 iw 0 tr 1
  buffer #3: 0 size 0:0:0 active
  node work #2: u0000000000000010 c0000000000000000
`)
	}
}

// Deaths and freezes of which a process was notified are not counted.
func TestLogDelivered(t *testing.T) {
	l, server, client := newLoggedPair(t)
	one, two := server.give(client, 0x10, 0), server.give(client, 0x20, 0)
	client.write(bcRequestFreeze(one, 0xf1), bcRequestFreeze(two, 0xf2), bcRequestDeath(one, 0xd1), bcRequestDeath(two, 0xd2))
	client.expect(brNoop, brFrozenBinder(0xf1, false))
	client.expect(brNoop, brFrozenBinder(0xf2, false))
	server.kill()
	client.expect(brNoop, brDeadBinder(0xd1))
	client.expect(brNoop, brDeadBinder(0xd2))
	l.expect(l.of(client), `
binder proc state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
  ref #2: desc 1 dead node #1 s 1 w 1 d @
  ref #4: desc 2 dead node #3 s 1 w 1 d @
  has delivered dead binder
  has delivered freeze binder
`)
}

// A reply to a caller that is gone fails without an error.
func TestLogReplyToNobody(t *testing.T) {
	l, server, client := newLoggedPair(t)
	client.write(bcTransaction{})
	server.read().message(t)
	threads := func() int {
		active, _ := counters()
		return active["thread"]
	}
	before := threads()
	client.kill()
	// Linux's worker may be late.
	eventually(t, "the calling thread is gone", func() bool { return threads() == before-1 })
	server.write(bcReply{payload: payload{text("hello")}})
	server.expect(brNoop, brTransactionComplete)
	l.expectLines("failed_transaction_log", `
#1: reply from server:server to 0:0 context binder node 0 handle 0 size 5:0 ret 29189/0 l=LINE
`)
}

// A reply has the nice value at which the call was handled.
func TestLogNiceOfReply(t *testing.T) {
	l, server, client := newLoggedPair(t)
	client.setNice(-5)
	client.write(bcTransaction{})
	server.read().message(t)
	server.write(bcReply{})
	require.Zero(t, server.nice())
	l.expect(l.of(client), `
binder proc state:
proc client
context binder
  thread client: l 02 need_return 0 tr 0
    transaction complete
    pending transaction #1: @ from server:server to client:client code 0 flags 0 pri -5 a0 r1 elapsed size 0:0 offset 0
  buffer #1: 0 size 0:0:0 active
`)
}
