// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Talk is the program of an example pod's containers: a service manager, a service and
// clients, each in its own container, on a binderfs that they share.
//
//	talk [-dir DIR] manager           the service manager
//	talk [-dir DIR] serve NAME        a service, which greets
//	talk [-dir DIR] call NAME WHO     a client: one call
//	talk [-dir DIR] chat NAME WHO     a client: a call every second
//
// DIR is where binderfs is mounted. As on Android, a container that starts too early waits
// for the service manager and the service.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sentrybinder/examples/demo/ipc"
)

// pause is the time between attempts, and between the calls of a chat.
const pause = time.Second

func main() {
	dir := flag.String("dir", "/dev/binderfs", "where binderfs is mounted")
	flag.Parse()
	device := filepath.Join(*dir, "binder")
	var err error
	switch args := flag.Args(); {
	case len(args) == 1 && args[0] == "manager":
		err = manage(device)
	case len(args) == 2 && args[0] == "serve":
		err = serve(device, args[1])
	case len(args) == 3 && args[0] == "call":
		err = call(device, args[1], args[2], false)
	case len(args) == 3 && args[0] == "chat":
		err = call(device, args[1], args[2], true)
	default:
		fmt.Fprintln(os.Stderr, "usage: talk [-dir DIR] manager | serve NAME | call NAME WHO | chat NAME WHO")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "talk:", err)
		os.Exit(1)
	}
}

// Codes of the manager's and the service's methods.
const (
	// managerAdd (name, object) registers the object under a name.
	managerAdd = iota + 1
	// managerFind (name) returns the object of that name, or notFound.
	managerFind
	// greet (who) returns a greeting.
	greet
)

const notFound = ipc.StatusError(-2)

// connect opens the device. In a pod it waits until the service manager has given every
// user access.
func connect(device string) (*ipc.Conn, error) {
	for {
		conn, err := ipc.Open(device)
		if !errors.Is(err, os.ErrPermission) {
			return conn, err
		}
		time.Sleep(pause)
	}
}

// manage runs the service manager. In a new binderfs, only root may open the devices.
func manage(device string) error {
	if err := os.Chmod(device, 0666); err != nil {
		return err
	}
	conn, err := ipc.Open(device)
	if err != nil {
		return err
	}
	names := make(map[string]*ipc.Ref)
	manager := conn.NewObject(func(call *ipc.Call) (*ipc.Parcel, error) {
		name, err := call.ReadString()
		if err != nil {
			return nil, err
		}
		switch call.Code {
		case managerAdd:
			ref, err := call.ReadRef()
			if err != nil {
				return nil, err
			}
			names[name] = ref
			fmt.Printf("user %d registers %s\n", call.SenderEUID, name)
			return nil, ref.OnDeath(func() {
				fmt.Printf("%s has died\n", name)
				if names[name] == ref {
					delete(names, name)
				}
				_ = ref.Release() // The driver fails only if there is no such reference.
			})
		case managerFind:
			if ref, ok := names[name]; ok {
				return new(ipc.Parcel).WriteRef(ref), nil
			}
			return nil, notFound
		}
		return nil, fmt.Errorf("no method %d", call.Code)
	})
	if err := conn.BecomeContextManager(manager); err != nil {
		return err
	}
	fmt.Println("manages", device)
	return conn.Serve(0, nil)
}

// serve runs a service.
func serve(device, name string) error {
	conn, err := connect(device)
	if err != nil {
		return err
	}
	greeter := conn.NewObject(func(call *ipc.Call) (*ipc.Parcel, error) {
		who, err := call.ReadString()
		if err != nil {
			return nil, err
		}
		fmt.Printf("%s of user %d calls\n", who, call.SenderEUID)
		return new(ipc.Parcel).WriteString(fmt.Sprintf("Hello %s, this is %s.", who, name)), nil
	})
	if err := await(func() error {
		reply, err := conn.ContextManager().Call(managerAdd, new(ipc.Parcel).WriteString(name).WriteObject(greeter))
		if err != nil {
			return err
		}
		return reply.Close()
	}); err != nil {
		return err
	}
	fmt.Println("serves as", name)
	return conn.Serve(0, nil)
}

// call calls a service: once, or every second.
func call(device, name, who string, forever bool) error {
	conn, err := connect(device)
	if err != nil {
		return err
	}
	var service *ipc.Ref
	for {
		if service == nil {
			if service, err = find(conn, name); err != nil {
				return err
			}
		}
		text, err := ask(service, who)
		switch {
		case err == nil:
			fmt.Println(text)
		case forever && errors.Is(err, ipc.ErrDead):
			fmt.Println(name, "is dead")
			if err := service.Release(); err != nil {
				return err
			}
			service = nil
		default:
			return err
		}
		if !forever {
			return nil
		}
		time.Sleep(pause)
	}
}

// find asks the service manager for a service until it is registered.
func find(conn *ipc.Conn, name string) (service *ipc.Ref, err error) {
	err = await(func() error {
		reply, err := conn.ContextManager().Call(managerFind, new(ipc.Parcel).WriteString(name))
		if err != nil {
			return err
		}
		defer reply.Close()
		service, err = reply.ReadRef()
		return err
	})
	return service, err
}

// ask makes one call.
func ask(service *ipc.Ref, who string) (string, error) {
	reply, err := service.Call(greet, new(ipc.Parcel).WriteString(who))
	if err != nil {
		return "", err
	}
	defer reply.Close()
	return reply.ReadString()
}

// await repeats a call to the service manager until there is a service manager, and it
// knows the requested service.
func await(call func() error) error {
	for {
		err := call()
		if !errors.Is(err, ipc.ErrDead) && !errors.Is(err, ipc.ErrFailed) && !errors.Is(err, notFound) {
			return err
		}
		time.Sleep(pause)
	}
}
