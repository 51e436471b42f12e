// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// The example of an Android image uses valid annotations, and the same ones for a bundle
// and a pod.
func TestRedroidAnnotations(t *testing.T) {
	config, err := os.ReadFile("../../examples/redroid/config.json")
	require.NoError(t, err)
	var spec specs.Spec
	require.NoError(t, json.Unmarshal(config, &spec))
	require.NoError(t, New(nil).ValidateSpec(&spec, nil))

	pod, err := os.ReadFile("../../examples/redroid/pod.yaml")
	require.NoError(t, err)
	annotations := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^ +(dev\.sentrybinder\.\S+): "?([^"\n]*)"?$`).FindAllStringSubmatch(string(pod), -1) {
		annotations[m[1]] = m[2]
	}
	require.Equal(t, spec.Annotations, annotations)
}
