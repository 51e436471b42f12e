// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// showFile prints where path leads, and the mode and owner of that file.
func showFile(path string) {
	target, err := os.Readlink(path)
	if err != nil {
		target = "file"
	}
	var st unix.Stat_t
	check("stat "+path, unix.Stat(path, &st))
	fmt.Printf("%s %o %d %d\n", target, st.Mode, st.Uid, st.Gid)
}

// android is the edit of a spec that asks for Android's layout.
var android = annotated("layout", "android")

// requireAndroid checks that a container has Android's layout with devices.
func requireAndroid(t *testing.T, c *container, devices ...string) {
	t.Helper()
	for _, name := range devices {
		require.Equal(t, "/dev/binderfs/"+name+" 20666 0 0\n", c.exec("file", "/dev/"+name))
	}
	require.Equal(t, "file 40755 0 0\n", c.exec("file", "/dev/binderfs"))
	require.Equal(t, "file 20600 0 0\n", c.exec("file", "/dev/binderfs/binder-control"))
	for _, feature := range []string{"oneway_spam_detection", "extended_error", "freeze_notification"} {
		require.Equal(t, "1\n", c.exec("cat", "/dev/binderfs/features/"+feature))
	}
}

// TestAndroidLayout: each container of a pod has devices, features and logs where
// libbinder looks for them, and has them to itself. Its root is read-only.
func TestAndroidLayout(t *testing.T) {
	p := newPod(t)
	p.start("root", android)
	one, two := p.start("one", nil), p.start("two", android)
	requireApart(t, one, two, "/dev/binder")
	requireApart(t, one, two, "/dev/vndbinder")
	for _, c := range []*container{one, two} {
		requireAndroid(t, c, "binder", "hwbinder", "vndbinder")
		// Other users, too.
		require.Contains(t, c.execAs("1000:1000", "call", "/dev/hwbinder"), "nobody answers")
		pids := strings.Fields(c.exec("ls", "/dev/binderfs/binder_logs/proc"))
		require.Len(t, pids, 2, "the servers of the container")
		require.Contains(t, c.execAs("1000", "cat", "/dev/binderfs/binder_logs/proc/"+pids[0]), "\ncontext ")
	}

	one.delete()
	one = p.start("one", nil)
	requireAndroid(t, one, "binder", "hwbinder", "vndbinder")
	who, _ := one.call("/dev/binder")
	require.Empty(t, who)
}

// TestAndroidLayoutRestored: a restored pod has the layout that it was saved with, and so
// does a container that is started in it.
func TestAndroidLayoutRestored(t *testing.T) {
	serving := both(android, func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "serve", "/dev/binder", "one"} })
	p := newPod(t)
	world := []member{{"root", serving}}
	saved := p.startAll(world)
	saved[0].await("/dev/binder", "one")
	image := p.checkpoint(saved)
	p.gone(saved)

	c := p.restore(image, world)[0]
	c.await("/dev/binder", "one")
	requireAndroid(t, c, "binder", "hwbinder", "vndbinder")
	other := p.start("other", nil)
	requireAndroid(t, other, "binder", "hwbinder", "vndbinder")
	who, _ := other.call("/dev/binder")
	require.Empty(t, who)
}

// TestAndroidLayoutDevices: each binderfs has the annotation's devices.
func TestAndroidLayoutDevices(t *testing.T) {
	p := newPod(t)
	c := p.start("root", both(both(android, annotated("devices", "anbox-binder,b=c")),
		mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: "binder"})))
	requireAndroid(t, c, "anbox-binder", "b=c")
	const files = "anbox-binder\nb=c\nbinder-control\nfeatures\n"
	require.Equal(t, files, c.exec("ls", binderfs))
	require.NotContains(t, strings.Fields(c.exec("ls", "/dev")), "binder")

	p = newPod(t)
	c = p.start("root", both(android, annotated("devices", "")))
	requireAndroid(t, c)
	require.Equal(t, "binder-control\nbinder_logs\nfeatures\n", c.exec("ls", "/dev/binderfs"))
}

// TestAndroidLayoutOfMounts: if a config has its own binderfs in Android's place, the
// links lead to that, which may be shared.
func TestAndroidLayoutOfMounts(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	p.start("root", both(android, hint(source)))
	alone := p.start("alone", mounts(specs.Mount{Type: "binder", Destination: "/dev/binderfs", Source: "binder", Options: []string{"max=4", "mode=0660"}}))
	shared := mounts(specs.Mount{Type: "bind", Destination: "/dev/binderfs", Source: source, Options: []string{"rbind", "rprivate", "nosuid", "nodev", "rw"}})
	one, two := p.start("one", shared), p.start("two", shared)

	require.Equal(t, "/dev/binderfs/binder 20660 0 0\n", alone.exec("file", "/dev/binder"))
	require.Equal(t, "binder\nbinder-control\nfeatures\nhwbinder\nvndbinder\n", alone.exec("ls", "/dev/binderfs"))
	requireAndroid(t, one, "binder", "hwbinder", "vndbinder")
	one.serve("/dev/binder", "one")
	who, _ := two.call("/dev/binder")
	require.Equal(t, "one", who)
	who, _ = alone.call("/dev/binder")
	require.Empty(t, who)
}

// TestReadOnlyDev: a /dev that is read-only for processes still has links, and a
// read-only binderfs has the config's modes and owners.
func TestReadOnlyDev(t *testing.T) {
	p := newPod(t)
	dev := mounts(specs.Mount{Type: "tmpfs", Destination: "/dev", Source: "tmpfs", Options: []string{"ro"}})
	root := p.start("root", both(both(android, dev), node("/dev/null", 0600, 1, 2)))
	requireAndroid(t, root, "binder", "hwbinder", "vndbinder")
	require.Equal(t, "file 20600 1 2\n", root.exec("file", "/dev/null"))
	require.Contains(t, root.exec("cat", "/proc/mounts"), " /dev dev ro,")

	mount := mounts(specs.Mount{Type: "binder", Destination: "/dev/binderfs", Source: "binder", Options: []string{"ro"}})
	one := p.start("one", both(both(dev, mount), node("/dev/binder", 0600, 1, 2)))
	require.Equal(t, "/dev/binderfs/binder 20600 1 2\n", one.exec("file", "/dev/binder"))
	output, err := p.try(one.agent([]string{"chmod", "/dev/hwbinder"})...)
	require.Error(t, err)
	require.Contains(t, output, "read-only file system")
}

// TestModeOfMount: a mount's option sets the mode of its devices, and of nothing else.
func TestModeOfMount(t *testing.T) {
	p := newPod(t)
	c := p.start("root", mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: "binder", Options: []string{"mode=0666"}}))
	for file, want := range map[string]string{"": "40755", "/binder": "20666", "/vndbinder": "20666", "/binder-control": "20600", "/features": "40755"} {
		require.Equal(t, "file "+want+" 0 0\n", c.exec("file", binderfs+file))
	}
	require.Contains(t, c.execAs("1000", "call", binderfs+"/binder"), "nobody answers")
	require.Contains(t, c.exec("add", binderfs, "another"), "added")
	require.Equal(t, "file 20600 0 0\n", c.exec("file", binderfs+"/another"))
	// Linux has no such option.
	require.Contains(t, c.exec("cat", "/proc/mounts"), " "+binderfs+" binder rw,relatime,max=4096 0 0\n")
}

// TestModeOfSharedMount: a shared mount has the annotation's mode.
func TestModeOfSharedMount(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	p.start("root", both(hint(source), func(spec *specs.Spec) {
		spec.Annotations["dev.gvisor.spec.mount.binders.options"] = "mode=0666,stats=global"
	}))
	c := p.start("one", mounts(specs.Mount{Type: "bind", Destination: binderfs, Source: source}))
	require.Equal(t, "file 20666 0 0\n", c.exec("file", binderfs+"/binder"))
	require.Contains(t, c.exec("ls", binderfs), "binder_logs\n")
}

// node returns the edit of a spec that adds a device node, whose numbers are another
// device's in the sandbox.
func node(path string, mode os.FileMode, uid, gid uint32) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		spec.Linux.Devices = append(spec.Linux.Devices, specs.LinuxDevice{
			Path: path, Type: "c", Major: 1, Minor: 5, FileMode: &mode, UID: &uid, GID: &gid,
		})
	}
}

// TestNodes: a device has the mode and owner that a config gives it.
func TestNodes(t *testing.T) {
	for name, layout := range map[string]func(*specs.Spec){"file": nil, "/dev/binderfs/binder": android} {
		p := newPod(t)
		edit := both(node("/dev/binder", 0620, 1, 1000), node("/dev/null", 0640, 2, 3))
		if layout != nil {
			edit = both(both(edit, layout), node("/dev/binderfs/hwbinder", 0600, 7, 8))
		}
		c := p.start("root", edit)
		require.Equal(t, name+" 20620 1 1000\n", c.exec("file", "/dev/binder"))
		require.Equal(t, "file 20640 2 3\n", c.exec("file", "/dev/null"))
		require.Contains(t, c.execAs("1", "call", "/dev/binder"), "nobody answers")
		_, err := p.try("exec", "--user=1000", "--env="+agentVariable+"=1", c.id, "/agent", "call", "/dev/binder")
		require.Error(t, err)
		if layout != nil {
			require.Equal(t, "/dev/binderfs/hwbinder 20600 7 8\n", c.exec("file", "/dev/hwbinder"))
		}
	}
}

// TestNodesOfHost: a mounted device of the host keeps its mode.
func TestNodesOfHost(t *testing.T) {
	p := newPod(t)
	device := filepath.Join(t.TempDir(), "device")
	require.NoError(t, unix.Mknod(device, unix.S_IFCHR|0640, int(unix.Mkdev(1, 3))))
	p.start("root", both(mounts(specs.Mount{Type: "bind", Destination: "/dev/mine", Source: device}), node("/dev/mine", 0666, 1, 2)))
	info, err := os.Stat(device)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0640), info.Mode().Perm())
}

// TestNodesOfPrivileged: a privileged container's config lists all device nodes of its
// host. The sandbox's devices get their modes; its only Binder devices are the sandbox's,
// which an init can replace.
func TestNodesOfPrivileged(t *testing.T) {
	privileged := func(spec *specs.Spec) {
		for _, name := range []string{
			"null", "zero", "full", "random", "urandom", "tty", "ptmx", "kmsg", "fuse", "net/tun", "loop0",
			"binder", "vndbinder", "anbox-binder", "binderfs/binder", "binderfs/binder-control",
		} {
			node("/dev/"+name, 0606, 0, 5)(spec)
		}
		spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}
	}
	for name, tc := range map[string]struct {
		edit   func(*specs.Spec)
		binder []string
	}{
		"plain":   {annotated("layout", "plain"), []string{"binder", "hwbinder", "vndbinder"}},
		"none":    {annotated("devices", ""), nil},
		"android": {android, []string{"binder", "binderfs", "hwbinder", "vndbinder"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t)
			c := p.start("root", both(privileged, tc.edit))
			for _, name := range []string{"null", "tty", "kmsg", "fuse", "net/tun"} {
				require.Equal(t, "file 20606 0 5\n", c.exec("file", "/dev/"+name), name)
			}
			var binder []string
			for _, file := range strings.Fields(c.exec("ls", "/dev")) {
				if strings.Contains(file, "binder") {
					binder = append(binder, file)
				}
			}
			require.Equal(t, tc.binder, binder)
			if tc.binder != nil {
				require.Contains(t, c.execAs("1000", "call", "/dev/binder"), "nobody answers")
			}
		})
	}
}

// TestLayoutRefused: what would have no effect is refused, with the reason, when a
// container is created.
func TestLayoutRefused(t *testing.T) {
	at := func(typ string, options ...string) func(*specs.Spec) {
		return mounts(specs.Mount{Type: typ, Destination: "/dev/binderfs", Source: "binder", Options: options})
	}
	for why, edit := range map[string]func(*specs.Spec){
		"want one of plain, android":                                  annotated("layout", "Android"),
		`mount at /dev/binderfs: option "nodev": nobody`:              at("binder", "nodev"),
		`mount at /dev/binderfs: option "uid=7" has no effect`:        at("binder", "ro", "uid=7"),
		`mount at /dev/binderfs: option "mode=888": the options of`:   at("binder", "mode=888"),
		`mount at /dev/binderfs: option max=2 leaves no room`:         at("binder", "max=2"),
		`unknown type "binderfs": want "binder"`:                      at("binderfs"),
		`its type is "tmpfs", but annotation`:                         both(android, at("tmpfs")),
		`device /dev/anbox-binder: this sandbox has no such`:          node("/dev/anbox-binder", 0666, 0, 0),
		`device /dev/binderfs/binder: this sandbox has no such`:       node("/dev/binderfs/binder", 0666, 0, 0),
		`mount at /dev/binder: annotation dev.sentrybinder.layout=`:   both(android, mounts(specs.Mount{Type: "bind", Destination: "/dev/binder", Source: "/dev/null"})),
		`annotation dev.gvisor.spec.mount.b.share="shared"`:           hintFields("source", "/b", "type", "binder", "share", "shared"),
		`annotation dev.gvisor.spec.mount.b.options: option "size=1"`: hintFields("source", "/b", "type", "binder", "share", "pod", "options", "size=1"),
		`device "features": the name is taken with dev.sentrybinder`:  both(android, annotated("devices", "features")),
	} {
		p := newPod(t)
		p.refused("root", why, edit)
	}
}

// hintFields returns the edit of a spec that adds annotations for a shared mount: fields,
// each followed by its value.
func hintFields(fields ...string) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		for i := 0; i < len(fields); i += 2 {
			spec.Annotations["dev.gvisor.spec.mount.b."+fields[i]] = fields[i+1]
		}
	}
}

// TestLayoutOfContainers: the layout is an annotation of the sandbox.
func TestLayoutOfContainers(t *testing.T) {
	p := newPod(t)
	p.start("root", annotated("layout", "plain"))
	p.refused("one", "takes effect only in the config of the sandbox's first container", android)
	require.Equal(t, "file 20666 0 0\n", p.start("one", nil).exec("file", "/dev/binder"))
}

// TestDefaultAnnotations: a flag gives all containers annotations, which their configs
// can override.
func TestDefaultAnnotations(t *testing.T) {
	p := newPod(t)
	p.flags = []string{"--default-annotations=dev.sentrybinder.layout=android;dev.sentrybinder.devices=a,b"}
	requireAndroid(t, p.start("root", nil), "a", "b")
	requireAndroid(t, p.start("one", nil), "a", "b")

	p = newPod(t)
	p.flags = []string{"--default-annotations=dev.sentrybinder.layout=android;dev.sentrybinder.devices=a,b"}
	c := p.start("root", annotated("layout", "plain"))
	require.Equal(t, "file 20666 0 0\n", c.exec("file", "/dev/b"))

	for _, value := range []string{"x", "=x", "dev.sentrybinder.layout=android;"} {
		p = newPod(t)
		p.flags = []string{"--default-annotations=" + value}
		p.refused("root", "want KEY=VALUE", nil)
	}
}
