// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifests tests that the project's manifests are valid for Kubernetes, and
// consistent. It is a separate module, since nothing else needs Kubernetes' types.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// top is the project's directory.
const top = "../../.."

// files returns the manifests.
func files(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(top + "/deploy/kubernetes/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return append(list, top+"/examples/redroid/pod.yaml")
}

// decode returns the objects in a manifest. Unknown and duplicate fields are errors.
func decode(t *testing.T, file string) (objects []runtime.Object) {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, corev1.AddToScheme(scheme))
	require.NoError(t, nodev1.AddToScheme(scheme))
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		object, _, err := decoder.Decode(document, nil, nil)
		require.NoError(t, err, "%s", document)
		objects = append(objects, object)
	}
}

func TestDecode(t *testing.T) {
	for _, file := range files(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			require.NotEmpty(t, decode(t, file))
		})
	}
}

// TestRuntimeClass: pods name the existing class, and its handler is the runtime that
// sentrybinder-setup adds to containerd.
func TestRuntimeClass(t *testing.T) {
	class := decode(t, top+"/deploy/kubernetes/runtimeclass.yaml")[0].(*nodev1.RuntimeClass)
	for _, version := range []string{"2", "3"} {
		text, err := os.ReadFile(top + "/deploy/containerd/config-" + version + ".toml")
		require.NoError(t, err)
		require.Contains(t, string(text), ".containerd.runtimes."+class.Handler+"]")
	}
	pods := 0
	for _, file := range files(t) {
		for _, object := range decode(t, file) {
			switch o := object.(type) {
			case *corev1.Pod:
				require.NotNil(t, o.Spec.RuntimeClassName, file)
				require.Equal(t, class.Name, *o.Spec.RuntimeClassName, file)
				pods++
			case *nodev1.RuntimeClass:
				require.Equal(t, class.Handler, o.Handler, file)
			}
		}
	}
	require.Greater(t, pods, 1)
}

// TestVolumes: a pod that shares a binderfs has a volume of that name, of the kind that
// gVisor's shim fills in, and containers that mount it.
func TestVolumes(t *testing.T) {
	shared := 0
	for _, file := range files(t) {
		for _, object := range decode(t, file) {
			pod, ok := object.(*corev1.Pod)
			if !ok {
				continue
			}
			for key, value := range pod.Annotations {
				name, ok := strings.CutPrefix(key, "dev.gvisor.spec.mount.")
				name, field, _ := strings.Cut(name, ".")
				if !ok || field != "type" || value != "binder" {
					continue
				}
				shared++
				prefix := strings.TrimSuffix(key, "type")
				require.Equal(t, "pod", pod.Annotations[prefix+"share"], file)
				require.NotContains(t, pod.Annotations, prefix+"source", file)
				found := false
				for _, v := range pod.Spec.Volumes {
					found = found || v.Name == name && v.EmptyDir != nil
				}
				require.True(t, found, "%s: no emptyDir volume %s", file, name)
				mounts := 0
				for _, c := range pod.Spec.Containers {
					for _, m := range c.VolumeMounts {
						if m.Name == name {
							require.Empty(t, m.SubPath, file)
							mounts++
						}
					}
				}
				require.Greater(t, mounts, 1, "%s: nobody shares %s", file, name)
			}
		}
	}
	require.NotZero(t, shared)
}
