package kafkatest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// proxyDialLimit bounds how long the proxy tries to reach the broker for a new connection.
const proxyDialLimit = 2 * time.Second

// Proxy is a TCP proxy before a broker, for faults between the two that neither has caused:
// connections that are cut, refused or stand still, and writes that are answered with an error.
// It knows as much of Kafka's protocol as it needs to tell requests apart.
type Proxy struct {
	listener net.Listener
	target   atomic.Pointer[string]
	accepts  sync.WaitGroup

	mu      sync.Mutex
	wake    sync.Cond // on mu: stalled or closed has changed
	links   map[*link]struct{}
	refused bool
	stalled bool
	closed  bool
	failing *FailingProduce
	trouble error // of connections that could not be ended
}

// ProduceFault tells how writes are answered while it is in force.
type ProduceFault struct {
	// Err is what each partition of a write is answered with.
	Err *kerr.Error
	// Applied: the broker gets the write first, so that only its answer is lost. Else the broker
	// never hears of it.
	Applied bool
}

// FailingProduce is a ProduceFault in force.
type FailingProduce struct {
	ProduceFault
	p    *Proxy
	hits int // guarded by p.mu
}

// Hits is how many writes were answered with the error so far.
func (f *FailingProduce) Hits() int {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	return f.hits
}

// End lets writes through again.
func (f *FailingProduce) End() {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.p.failing == f {
		f.p.failing = nil
	}
}

// NewProxy listens on a free port of the loopback address. Until a target is set, whoever connects
// is refused. The caller closes it.
func NewProxy() (*Proxy, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	return newProxyAt(loopback(ports[0]))
}

func newProxyAt(addr string) (*Proxy, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{listener: listener, links: map[*link]struct{}{}}
	p.wake.L = &p.mu
	p.accepts.Go(p.accept)
	return p, nil
}

// Addr is where clients connect to, "host:port".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Target sets where connections lead from now on, "host:port".
func (p *Proxy) Target(addr string) { p.target.Store(&addr) }

// Cut ends all connections at once, by a reset and with whatever is under way, and tells how many
// there were. New ones are taken.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		l.reset()
	}
	return n
}

// Refuse cuts all connections and, until it is told otherwise, each new one as soon as it is made.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	p.refused = on
	p.mu.Unlock()
	if on {
		p.Cut()
	}
}

// Stall lets all connections stand still, until it is told otherwise: nothing is lost and nothing
// passes.
func (p *Proxy) Stall(on bool) {
	p.mu.Lock()
	p.stalled = on
	p.wake.Broadcast()
	p.mu.Unlock()
}

// FailProduce puts a fault in force, in place of one that was, until it is ended.
func (p *Proxy) FailProduce(fault ProduceFault) *FailingProduce {
	f := &FailingProduce{ProduceFault: fault, p: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = f
	return f
}

// Close cuts all connections and stops listening.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.wake.Broadcast()
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.accepts.Wait()
	return errors.Join(err, p.trouble)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.accepts.Go(func() { p.serve(client) })
	}
}

// serve connects a client with the target until one of them, or a fault, ends it.
func (p *Proxy) serve(client net.Conn) {
	l := &link{p: p, client: client, answers: map[int32]answerFault{}}
	l.idle.L = &l.mu
	if target := p.target.Load(); target != nil {
		server, err := net.DialTimeout("tcp", *target, proxyDialLimit)
		if err == nil {
			l.server = server
		}
	}
	p.mu.Lock()
	taken := l.server != nil && !p.refused && !p.closed
	if taken {
		p.links[l] = struct{}{}
	}
	p.mu.Unlock()
	if taken {
		l.run()
	}
	l.reset()
	p.mu.Lock()
	delete(p.links, l)
	p.trouble = errors.Join(p.trouble, l.trouble)
	p.mu.Unlock()
}

// hold waits while the proxy is stalled.
func (p *Proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled && !p.closed {
		p.wake.Wait()
	}
}

// fault is what a write is to be answered with; false for the broker's own answer.
func (p *Proxy) fault() (ProduceFault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing == nil {
		return ProduceFault{}, false
	}
	p.failing.hits++
	return p.failing.ProduceFault, true
}

// link is one connection of a client, and the proxy's own to the broker.
type link struct {
	p              *Proxy
	client, server net.Conn

	mu      sync.Mutex
	idle    sync.Cond // on mu: waiting has changed, or the link ends
	ended   bool
	trouble error
	waiting int                   // requests that the broker has not answered yet
	answers map[int32]answerFault // by correlation id: answers to be replaced
}

// reset ends both connections without a goodbye. It may be called more than once.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	l.idle.Broadcast()
	for _, conn := range []net.Conn{l.client, l.server} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			l.trouble = errors.Join(l.trouble, tcp.SetLinger(0), tcp.Close())
		}
	}
}

// run passes frames on in both directions until one of them ends.
func (l *link) run() {
	var requests sync.WaitGroup
	requests.Go(func() {
		l.pass(l.client, l.request)
		l.reset()
	})
	l.pass(l.server, l.response)
	l.reset()
	requests.Wait()
}

// pass hands on frame by frame. A frame is its length, four bytes, and as many bytes.
func (l *link) pass(from net.Conn, hand func(frame []byte) error) {
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		l.p.hold()
		if hand(frame) != nil {
			return
		}
	}
}

// done counts an answer.
func (l *link) done() {
	l.mu.Lock()
	l.waiting--
	l.idle.Broadcast()
	l.mu.Unlock()
}

// drained waits until the broker has answered everything: answers come in the order of requests.
func (l *link) drained() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.waiting > 0 && !l.ended {
		l.idle.Wait()
	}
	if l.ended {
		return io.ErrClosedPipe
	}
	return nil
}
