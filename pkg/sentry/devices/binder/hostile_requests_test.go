// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
)

// What a hostileThread does besides BINDER_WRITE_READ.

// rarely does one of the rarer things.
func (s *hostileThread) rarely() {
	p := s.proc
	for i := range 6 {
		s.put32(hostileArg+4*i, s.wild32())
	}
	request := uint32(0)
	which := s.n(96)
	if s.managerless && s.oneIn(4) {
		s.managerless, which = false, 4
	}
	if s.idle > 2+s.n(8) {
		// All threads may be waiting for each other.
		s.idle, which = 0, 21*s.n(2)
	}
	switch which {
	case 0:
		request = binder.BINDER_THREAD_EXIT
	case 1, 2:
		request = binder.BINDER_FREEZE
		s.put32(hostileArg, uint32(s.app.storm.lastPID.Load())-s.n(2*hostilePlaces))
		s.put32(hostileArg+4, s.n(4)>>1&s.n(2))
		s.put32(hostileArg+8, s.n(3))
	case 3:
		request = binder.BINDER_GET_FROZEN_INFO
		s.put32(hostileArg, uint32(s.app.storm.lastPID.Load())-s.n(2*hostilePlaces))
	case 4, 5, 6:
		request = binder.BINDER_SET_CONTEXT_MGR
	case 7:
		request = binder.BINDER_SET_CONTEXT_MGR_EXT
	case 8:
		request = binder.BINDER_GET_NODE_DEBUG_INFO
	case 9:
		request = binder.BINDER_GET_NODE_INFO_FOR_REF
		s.put64(hostileArg, uint64(s.handle()))
		s.put64(hostileArg+8, 0)
		s.put64(hostileArg+16, 0)
	case 10:
		request = binder.BINDER_SET_MAX_THREADS
	case 11:
		request = binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION
	case 12:
		request = binder.BINDER_GET_EXTENDED_ERROR
	case 13:
		request = binder.BINDER_VERSION
	case 14:
		request = s.wild32()
	case 15:
		p.flush()
	case 16:
		s.fd.Readiness(waiter.ReadableEvents)
		_ = s.fd.EventRegister(&s.entry)
		s.fd.Readiness(waiter.ReadableEvents)
		s.fd.EventUnregister(&s.entry)
	case 17:
		start := uint64(s.n(32)) * hostarch.PageSize
		required := memmap.MappableRange{Start: start, End: start + (1+uint64(s.n(3)))*hostarch.PageSize}
		optional := memmap.MappableRange{Start: start &^ 0xffff, End: required.End + 0x10000}
		_, _ = p.Translate(s, required, optional, hostarch.Read)
	case 18:
		if s.oneIn(64) {
			ar, _ := hostarch.Addr(testMapAddr).ToRange(max(s.fd.mapped, hostarch.PageSize))
			if s.oneIn(2) {
				p.RemoveMapping(s, nil, ar, 0, false)
			} else {
				_ = p.AddMapping(s, nil, ar, 0, false)
			}
		}
	case 19:
		if s.oneIn(8) {
			c := s.app.storm.contexts[s.n(hostileDevices)]
			file := s.app.storm.openDevice(c, s.app.pid, uint64(s.n(2))<<14)
			if file == nil {
				break
			}
			if _, ok := s.app.install(file); !ok {
				file.DecRef(s)
			}
		}
	case 20:
		if s.oneIn(4) {
			s.app.closeFile(s, int32(s.n(hostileFiles)))
		}
	case 21:
		// As if the thread had ended without BINDER_THREAD_EXIT, and a new one taken its
		// place.
		s.id = s.app.storm.lastTID.Add(1)
		s.nice = int(s.n(40)) - 20
	default:
		return
	}
	s.counted++
	if request != 0 {
		arg := hostarch.Addr(hostileArg)
		if s.oneIn(64) {
			arg = hostarch.Addr(s.wild64())
		}
		if s.ioctl(p, request, arg) == nil && (request == binder.BINDER_SET_CONTEXT_MGR || request == binder.BINDER_SET_CONTEXT_MGR_EXT) {
			s.fd.manager.Store(true)
		}
	}
}
