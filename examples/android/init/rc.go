// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A service is a program that init starts.
type service struct {
	name string
	args []string

	uid        uint32
	env        []string // added to init's own
	disabled   bool     // starts only on demand
	oneshot    bool     // is not restarted when it exits
	interfaces []string // those that it provides, by the service manager's names
}

// parse reads services in a small subset of Android's init language: sections
//
//	service NAME PATH [ARGUMENT]...
//	    user UID
//	    setenv NAME VALUE
//	    disabled
//	    oneshot
//	    interface aidl NAME
//
// and comments. Anything else is an error.
func parse(text string) ([]*service, error) {
	var services []*service
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		var s *service
		if len(services) > 0 {
			s = services[len(services)-1]
		}
		is := func(keyword string, arguments int) bool {
			return s != nil && words[0] == keyword && len(words) == 1+arguments
		}
		switch {
		case words[0] == "service" && len(words) >= 3:
			if slices.ContainsFunc(services, func(s *service) bool { return s.name == words[1] }) {
				return nil, fmt.Errorf("line %d: duplicate service %s", i+1, words[1])
			}
			services = append(services, &service{name: words[1], args: words[2:]})
		case is("user", 1):
			uid, err := strconv.ParseUint(words[1], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			s.uid = uint32(uid)
		case is("setenv", 2):
			s.env = append(s.env, words[1]+"="+words[2])
		case is("disabled", 0):
			s.disabled = true
		case is("oneshot", 0):
			s.oneshot = true
		case is("interface", 2):
			s.interfaces = append(s.interfaces, words[1]+"/"+words[2])
		default:
			return nil, fmt.Errorf("line %d: syntax error: %q", i+1, line)
		}
	}
	return services, nil
}
