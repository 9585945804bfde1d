package kafkatest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// startProxy starts a proxy before a server that gives back each frame that it gets.
func startProxy(t *testing.T) *kafkatest.Proxy {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn) // until a fault ends it
			}()
		}
	}()
	proxy := newProxy(t)
	proxy.Target(server.Addr().String())
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func newProxy(t *testing.T) *kafkatest.Proxy {
	t.Helper()
	proxy, err := kafkatest.NewProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
	})
	return proxy
}

func dial(t *testing.T, proxy *kafkatest.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", proxy.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return conn
}

// frame is a text as a frame that is no write: its key is 1.
func frame(text string) []byte {
	body := append([]byte{0, 1, 0, 0, 0, 0, 0, 7}, text...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// echo sends a frame and gives back what comes within a limit.
func echo(t *testing.T, conn net.Conn, text string, limit time.Duration) ([]byte, error) {
	t.Helper()
	if _, err := conn.Write(frame(text)); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(frame(text)))
	n, err := io.ReadFull(conn, got)
	return got[:n], err
}

func mustEcho(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	got, err := echo(t, conn, text, 10*time.Second)
	if err != nil || !bytes.Equal(got, frame(text)) {
		t.Fatalf("sent %q, got %q and %v", frame(text), got, err)
	}
}

func TestProxyCutsByReset(t *testing.T) {
	proxy := startProxy(t)
	first, second := dial(t, proxy), dial(t, proxy)
	mustEcho(t, first, "one")
	mustEcho(t, second, "two")
	if n := proxy.Cut(); n != 2 {
		t.Errorf("%d connections cut, want 2", n)
	}
	for _, conn := range []net.Conn{first, second} {
		if _, err := echo(t, conn, "gone", time.Second); !errors.Is(err, syscall.ECONNRESET) &&
			!errors.Is(err, syscall.EPIPE) {
			t.Errorf("after the cut: %v, want a reset", err)
		}
	}
	mustEcho(t, dial(t, proxy), "new")
}

func TestProxyRefuses(t *testing.T) {
	proxy := startProxy(t)
	before := dial(t, proxy)
	mustEcho(t, before, "before")
	proxy.Refuse(true)
	if got, err := echo(t, before, "refused", 10*time.Second); err == nil {
		t.Errorf("got %q on a connection of before", got)
	}
	if conn, err := net.Dial("tcp", proxy.Addr()); err == nil { // else the reset was faster
		defer conn.Close()
		if got, err := echo(t, conn, "refused", 10*time.Second); err == nil {
			t.Errorf("got %q through a proxy that refuses", got)
		}
	}
	proxy.Refuse(false)
	mustEcho(t, dial(t, proxy), "after")
}

func TestProxyStallsAndLosesNothing(t *testing.T) {
	proxy := startProxy(t)
	conn := dial(t, proxy)
	mustEcho(t, conn, "before")
	proxy.Stall(true)
	var late net.Error
	got, err := echo(t, conn, "stalled", 100*time.Millisecond)
	if len(got) > 0 || !errors.As(err, &late) || !late.Timeout() {
		t.Fatalf("got %q and %v through a proxy that stands still", got, err)
	}
	proxy.Stall(false)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, len(frame("stalled")))
	if _, err := io.ReadFull(conn, rest); err != nil || !bytes.Equal(rest, frame("stalled")) {
		t.Fatalf("got %q and %v when it went on", rest, err)
	}
}

func TestProxyWithoutTarget(t *testing.T) {
	conn, err := net.Dial("tcp", newProxy(t).Addr())
	if err != nil {
		return // the reset was faster
	}
	defer conn.Close()
	if got, err := echo(t, conn, "nobody", 10*time.Second); err == nil {
		t.Errorf("got %q from nobody", got)
	}
}

// through is a client of a broker that may connect to the proxy only.
func through(t *testing.T, b kafkatest.Broker, opts ...kgo.Opt) (*kafkatest.Proxy, *kgo.Client) {
	t.Helper()
	proxy := newProxy(t)
	proxy.Target(b.Addrs()[0])
	return proxy, client(t, b, append(opts, kgo.Dialer(
		func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, proxy.Addr())
		}))...)
}

// TestProxyFailsWrites holds that a write which is answered with an error that passes is there
// once in the end, whether the broker heard of it the first time or not.
func TestProxyFailsWrites(t *testing.T) {
	for name, fault := range map[string]kafkatest.ProduceFault{
		"refused":     {Err: kerr.NotLeaderForPartition},
		"answer lost": {Err: kerr.RequestTimedOut, Applied: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := kafkatest.StartFake(t)
			kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "kept"})
			proxy, cl := through(t, b)
			fails := proxy.FailProduce(fault)
			done := make(chan error, 1)
			go func() {
				done <- cl.ProduceSync(t.Context(), record("kept", "k", "v")).FirstErr()
			}()
			select {
			case err := <-done:
				t.Fatalf("acknowledged, with %v", err)
			case <-time.After(200 * time.Millisecond):
			}
			fails.End()
			if err := <-done; err != nil || fails.Hits() == 0 {
				t.Fatalf("%v after %d faults", err, fails.Hits())
			}
			if got := values(kafkatest.MustReadAll(t, b, "kept", true)); len(got) != 1 {
				t.Errorf("%d records, want 1", len(got))
			}
		})
	}
}

func TestProxyFailsWritesForGood(t *testing.T) {
	b := kafkatest.StartFake(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "refused"})
	proxy, cl := through(t, b)
	fails := proxy.FailProduce(kafkatest.ProduceFault{Err: kerr.MessageTooLarge})
	err := cl.ProduceSync(t.Context(), record("refused", "k", "v")).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) || fails.Hits() != 1 {
		t.Errorf("got %v, want %v once", err, kerr.MessageTooLarge)
	}
}

func TestFailProduceOfTheFake(t *testing.T) {
	b := kafkatest.StartFake(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "failing"})
	hits, err := kafkatest.FailProduce(b, "failing", kerr.NotEnoughReplicas, 2)
	if err != nil {
		t.Fatal(err)
	}
	kafkatest.MustProduce(t, b, record("failing", "k", "v"))
	if n := hits(); n != 2 {
		t.Errorf("%d writes refused, want 2", n)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = kafkatest.FailProduce(b, "failing", kerr.NotEnoughReplicas, 2)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a broker that is down: got %v, want ErrUnsupported", err)
	}
}
