// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

// propertySocket is the socket on which programs set Android's properties.
const propertySocket = "/dev/socket/property_service"

// bionic's protocol: the client sends setProperty2 and two strings, name and value, each
// preceded by its length; init answers with a result. All numbers have 32 bits.
const (
	setProperty2       = 0x00020001
	resultSuccess      = 0
	resultInvalidValue = 0x0014
)

// maxLength is the maximum length of a name or value in bytes.
const maxLength = 4096

// serveProperties creates the socket, and calls set for each property that a program
// sets. An error of set is reported to the program.
func serveProperties(set func(name, value string) error) error {
	if err := os.MkdirAll("/dev/socket", 0o755); err != nil {
		return err
	}
	listener, err := net.Listen("unix", propertySocket)
	if err != nil {
		return err
	}
	if err := os.Chmod(propertySocket, 0o666); err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				log.Fatalf("%s: %v", propertySocket, err)
			}
			// A program that sends nothing must not block the others.
			go func() {
				defer conn.Close()
				if err := serveProperty(conn, set); err != nil {
					log.Print(err)
				}
			}()
		}
	}()
	return nil
}

// serveProperty handles one program's request, and answers it.
func serveProperty(conn io.ReadWriter, set func(name, value string) error) error {
	var command uint32
	if err := binary.Read(conn, binary.NativeEndian, &command); err != nil {
		return err
	}
	if command != setProperty2 {
		return fmt.Errorf("unknown command %#x on %s", command, propertySocket)
	}
	name, err := readString(conn)
	if err != nil {
		return err
	}
	value, err := readString(conn)
	if err != nil {
		return err
	}
	result := uint32(resultSuccess)
	setErr := set(name, value)
	if setErr != nil {
		result = resultInvalidValue
	}
	if err := binary.Write(conn, binary.NativeEndian, result); err != nil {
		return err
	}
	return setErr
}

// readString reads a string preceded by its length.
func readString(r io.Reader) (string, error) {
	var length uint32
	if err := binary.Read(r, binary.NativeEndian, &length); err != nil {
		return "", err
	}
	if length > maxLength {
		return "", fmt.Errorf("%d bytes are too many for a string on %s", length, propertySocket)
	}
	b := make([]byte, length)
	_, err := io.ReadFull(r, b)
	return string(b), err
}
