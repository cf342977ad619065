// fetch ADDRESS PORT: prints what an HTTP server answers; Go opens sockets itself, without a C library.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	connection, err := net.Dial("tcp", net.JoinHostPort(os.Args[1], os.Args[2]))
	if err == nil {
		_, err = io.WriteString(connection, "GET / HTTP/1.0\r\n\r\n")
	}
	if err == nil {
		_, err = io.Copy(os.Stdout, connection)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
