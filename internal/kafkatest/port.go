package kafkatest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are drawn below Linux's range for outgoing connections (32768 and up): a broker that is
// down must find its port free again, and a client that dials a dead port inside that range may
// be given the port itself and connect to itself.
const (
	portLow   = 15000
	portHigh  = 32000
	portTries = 200
)

// freePorts returns n different ports of the loopback address that nobody listens on.
func freePorts(n int) (ports []int, err error) {
	var held []net.Listener
	defer func() {
		for _, ln := range held {
			err = errors.Join(err, ln.Close())
		}
	}()
	for range portTries {
		port := portLow + rand.IntN(portHigh-portLow)
		ln, listenErr := net.Listen("tcp", loopback(port))
		if listenErr != nil {
			continue
		}
		held = append(held, ln)
		ports = append(ports, port)
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports in %d tries", n, portTries)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
