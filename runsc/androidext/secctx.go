// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"strings"
)

// securityContext is the annotation whose value is the security context of a container's
// processes, which a node that asks for it receives with each transaction: a string of 1
// to 4095 bytes. Without the annotation it is the context of unlabeled objects in Android's
// policy, which allows it nothing.
var securityContext = annotation[string]{
	key:    Prefix + "security-context",
	scope:  ofContainer,
	absent: "u:object_r:unlabeled:s0",
	parse: func(value string) (string, error) {
		if value == "" || len(value) > maxSecurityContextLen || strings.ContainsRune(value, 0) {
			return "", fmt.Errorf("a security context has 1 to %d bytes, none of them NUL", maxSecurityContextLen)
		}
		return value, nil
	},
}

// maxSecurityContextLen is the maximum length of a security context in bytes. With its
// NUL it fits in a page, the most that Linux's /proc/PID/attr takes.
const maxSecurityContextLen = 4095
