// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kubeletAddress is the kubelet's address in the tests' network namespace.
const kubeletAddress = "127.0.0.1:10250"

// kubeletConfig is the config of a kubelet without an API server: its pods are files.
// What is turned off needs privileges that root may lack, or a separate disk.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: DIR/manifests
podLogsDir: DIR/pods
containerRuntimeEndpoint: unix://DIR/containerd.sock
address: 127.0.0.1
healthzPort: 0
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /sentrybinder-test
enforceNodeAllocatable: []
failSwapOn: false
fileCheckFrequency: 1s
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
oomScoreAdj: 0
evictionHard: {memory.available: 1Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}
`

// startKubelet starts a kubelet.
func startKubelet(t *testing.T) {
	t.Helper()
	need(t)
	if _, err := exec.LookPath("kubelet"); err != nil {
		t.Skip("KUBELET=0 leaves out the kubelet")
	}
	config := filepath.Join(dir, "kubelet.yaml")
	// It counts restarts by the existing logs.
	for _, name := range []string{"manifests", "pods"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0755))
	}
	text := strings.ReplaceAll(kubeletConfig, "DIR", dir)
	require.NoError(t, os.WriteFile(config, []byte(text), 0644))
	log, err := os.Create(filepath.Join(dir, "kubelet.log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.Command("kubelet", "--config="+config, "--hostname-override=node")
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // It reports the interrupt.
		out, err := node.crictl("rmp", "--all", "--force")
		require.NoError(t, err, out)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			if len(text) > 20000 {
				text = text[len(text)-20000:]
			}
			t.Logf("%s", text)
		}
	})
}

// kubeletPod is the kubelet's view of a pod.
type kubeletPod struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Phase             string `json:"phase"`
		ContainerStatuses []struct {
			Name         string `json:"name"`
			Ready        bool   `json:"ready"`
			RestartCount int    `json:"restartCount"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

// ask queries the kubelet.
func ask(path string) ([]byte, error) {
	// Its certificate is self-signed.
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: hung}
	r, err := client.Get("https://" + kubeletAddress + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

// findPod returns the kubelet's view of a manifest's pod.
func findPod(name string) (kubeletPod, error) {
	var list struct {
		Items []kubeletPod `json:"items"`
	}
	text, err := ask("/pods")
	if err != nil {
		return kubeletPod{}, err
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return kubeletPod{}, fmt.Errorf("%v: %s", err, text)
	}
	for _, p := range list.Items {
		if p.Metadata.Name == name+"-node" {
			return p, nil
		}
	}
	return kubeletPod{}, fmt.Errorf("the kubelet has no pod %s", name)
}

// runManifest gives the kubelet a manifest of deploy/kubernetes.
func runManifest(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "usr/share/sentrybinder/kubernetes", name))
	require.NoError(t, err)
	runPod(t, name, string(text))
}

// runPod gives the kubelet a manifest.
func runPod(t *testing.T, name, manifest string) {
	t.Helper()
	var kept []string
	for _, line := range strings.SplitAfter(manifest, "\n") {
		// Without an API server, the kubelet can't resolve the handler, which is
		// containerd's default here.
		if !strings.Contains(line, "runtimeClassName:") {
			kept = append(kept, line)
		}
	}
	// The kubelet reads a manifest as soon as it sees it.
	temporary := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(temporary, []byte(strings.Join(kept, "")), 0644))
	require.NoError(t, os.Rename(temporary, filepath.Join(dir, "manifests", name)))
}

// podLogs returns the logs of a container of a kubelet's pod.
func podLogs(t *testing.T, pod, container string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "pods", "default_"+pod+"-node_*", container, "*.log"))
	require.NoError(t, err)
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

// awaitReady waits until all containers of a pod are ready.
func awaitReady(t *testing.T, name string, restarts int) {
	t.Helper()
	require.NoError(t, eventually(func() error {
		p, err := findPod(name)
		if err != nil {
			return err
		}
		total := 0
		for _, c := range p.Status.ContainerStatuses {
			if !c.Ready {
				return fmt.Errorf("container %s is not ready", c.Name)
			}
			total += c.RestartCount
		}
		if p.Status.Phase != "Running" || total != restarts {
			return fmt.Errorf("pod %s is %s, and containers were restarted %d times", name, p.Status.Phase, total)
		}
		return nil
	}))
}

// TestKubelet: a kubelet runs the pod of deploy/kubernetes/pod.yaml, with its volume,
// annotations, probe and logs, and restarts a container that exits.
func TestKubelet(t *testing.T) {
	startKubelet(t)
	runManifest(t, "pod.yaml")
	awaitReady(t, "talk", 0)
	logs := func(container string) func() string {
		return func() string { return podLogs(t, "talk", container) }
	}
	awaitContent(t, logs("manager"), "manages /dev/binderfs/binder", "user 1000 registers greeter")
	awaitContent(t, logs("greeter"), "visitor of user 1001 calls", "probe of user 1001 calls")
	awaitContent(t, logs("visitor"), "Hello visitor, this is greeter.")

	out, err := node.crictl("ps", "--quiet", "--name", "^greeter$")
	require.NoError(t, err, out)
	// Behind the kubelet's back: it sees a container that has exited.
	out, err = node.crictl("stop", "--timeout", "0", strings.TrimSpace(out))
	require.NoError(t, err, out)
	awaitContent(t, logs("manager"), "greeter has died")
	awaitReady(t, "talk", 1)
	awaitContent(t, logs("visitor"), "greeter is dead")
	before := strings.Count(logs("visitor")(), "Hello")
	require.NoError(t, eventually(func() error {
		if strings.Count(logs("visitor")(), "Hello") > before {
			return nil
		}
		return fmt.Errorf("the visitor does not find the new greeter")
	}))
}

// TestAOSP: a kubelet runs the pod of deploy/kubernetes/aosp.yaml, which has AOSP's
// programs.
func TestAOSP(t *testing.T) {
	if _, err := os.Stat(filepath.Join(images, "aosp.tar")); err != nil {
		t.Skip("AOSP's programs are missing: make aosp builds them")
	}
	startKubelet(t)
	runManifest(t, "aosp.yaml")
	awaitReady(t, "aosp", 0)
	awaitContent(t, func() string { return podLogs(t, "aosp", "visitor") }, "Hello visitor, user 10001! I am process")
	awaitContent(t, func() string { return podLogs(t, "aosp", "observer") },
		"example.IGreeter/default: [example.IGreeter]", "manager: [android.os.IServiceManager]")
}

// eater is a pod with a container that takes more memory than the limits of all its
// containers together.
const eater = `apiVersion: v1
kind: Pod
metadata: {name: eater}
spec:
  restartPolicy: Never
  containers:
    - name: eater
      image: localhost/shell:1
      command: [/bin/sh, -c, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes; head -c 500000000 /dev/zero | tail | wc -c"]
      resources: {limits: {memory: 96Mi}}
    - name: other
      image: localhost/shell:1
      command: [/bin/sleep, inf]
      resources: {limits: {memory: 64Mi}}
`

// TestPodLimit: the sum of its containers' limits limits a pod's memory, including that
// of the sandbox itself. Another pod keeps running.
func TestPodLimit(t *testing.T) {
	startKubelet(t)
	runManifest(t, "pod.yaml")
	awaitReady(t, "talk", 0)
	runPod(t, "eater.yaml", eater)
	require.NoError(t, eventually(func() error {
		p, err := findPod("eater")
		if err != nil {
			return err
		}
		if p.Status.Phase != "Failed" {
			return fmt.Errorf("the pod is %s", p.Status.Phase)
		}
		return nil
	}))
	require.Equal(t, fmt.Sprintln((96+64)<<20), message(podLogs(t, "eater", "eater")))
	awaitReady(t, "talk", 0)
}

// message returns what a container wrote, without the prefixes of its log.
func message(log string) string {
	var all strings.Builder
	for _, line := range strings.SplitAfter(log, "\n") {
		if fields := strings.SplitN(line, " ", 4); len(fields) == 4 {
			all.WriteString(fields[3])
		}
	}
	return all.String()
}
