package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chargestream/web"
)

// pipes is a listener whose connections are in memory, so that time in a synctest bubble can
// pass while they wait.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

// dial is the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// serve runs Serve until stop is called; its error arrives on the channel.
func serve(h http.Handler) (p *pipes, stop context.CancelFunc, ended <-chan error) {
	p = newPipes()
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan error, 1)
	go func() { out <- web.Serve(ctx, p, h, slog.New(slog.DiscardHandler)) }()
	return p, cancel, out
}

// send writes a request and reads the whole answer.
func send(t *testing.T, c net.Conn, request string) (int, string) {
	t.Helper()
	go func() {
		if _, err := io.WriteString(c, request); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write the request: %v", err)
		}
	}()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatalf("read the body: %v", err)
	}
	return answer.StatusCode, string(body)
}

const request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

// A request that runs when the server has to stop is answered.
func TestServeFinishesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			time.Sleep(web.ShutdownTimeout - time.Second)
			w.WriteHeader(http.StatusTeapot)
		})
		p, stop, ended := serve(h)
		c := p.dial()
		go func() { <-begun; stop() }()
		if status, _ := send(t, c, request); status != http.StatusTeapot {
			t.Errorf("status %d", status)
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// A request that does not end is cut after the bound, and reported.
func TestServeCutsWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		})
		p, stop, ended := serve(h)
		c := p.dial()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		<-begun
		stopped := time.Now()
		stop()
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Serve: %v", err)
		}
		if took := time.Since(stopped); took != web.ShutdownTimeout {
			t.Errorf("Serve waited %s", took)
		}
	})
}

// A client that sends its header byte by byte does not hold a connection for ever.
func TestServeCutsSlowHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop, ended := serve(handlerOf(city()))
		c := p.dial()
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := io.ReadAll(c); err != nil {
			t.Fatalf("read: %v", err)
		}
		if waited := time.Since(begin); waited == 0 || waited > 10*time.Second {
			t.Errorf("cut after %s", waited)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestServeBoundsHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop, ended := serve(handlerOf(city()))
		status, _ := send(t, p.dial(), "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "+
			strings.Repeat("x", 64<<10)+"\r\n\r\n")
		if status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", status)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// The longest address that is possible is answered: three identifiers, all bytes encoded, and
// a cursor.
func TestServeTakesLongAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop, ended := serve(handlerOf(city()))
		id := strings.Repeat("%C3%A9", 127)
		status, body := send(t, p.dial(), "GET /api/v1/invoices?session_id="+id+"&user_id="+id+
			"&station_id="+id+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if status != http.StatusOK || !strings.Contains(body, `"items":[]`) {
			t.Errorf("status %d: %s", status, body)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// A Source that takes too long is answered for before the connection is cut.
func TestServeBoundsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop, ended := serve(handlerOf(&slow{}))
		begin := time.Now()
		status, body := send(t, p.dial(), "GET /api/v1/stations HTTP/1.1\r\nHost: x\r\n\r\n")
		if status != http.StatusServiceUnavailable || !strings.Contains(body, "limit") {
			t.Errorf("status %d: %s", status, body)
		}
		if took := time.Since(begin); took != 20*time.Second {
			t.Errorf("answered after %s", took)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

var errListener = errors.New("listener broke")

// torn is a listener that fails at once.
type torn struct{ *pipes }

func (torn) Accept() (net.Conn, error) { return nil, errListener }

func TestServeTellsOfItsListener(t *testing.T) {
	err := web.Serve(context.Background(), torn{newPipes()}, handlerOf(city()),
		slog.New(slog.DiscardHandler))
	if !errors.Is(err, errListener) {
		t.Errorf("Serve: %v", err)
	}
}
