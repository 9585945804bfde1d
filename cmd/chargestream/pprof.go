package main

import (
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/spf13/cobra"
)

// pprofFlag adds the flag that has profiles served on any address.
func pprofFlag(cmd *cobra.Command, forced *bool) {
	cmd.Flags().BoolVar(forced, "pprof", false,
		"serve /debug/pprof/ beside /metrics on any address; a loopback address has it anyway")
}

// profiles answers /debug/pprof/ for a listener. It is nil where the listener is not on a loopback
// address and profiles are not forced: a profile shows the inside of the process to all who can
// connect.
func profiles(listener net.Listener, forced bool) http.Handler {
	if at, ok := listener.Addr().(*net.TCPAddr); !forced && (!ok || !at.IP.IsLoopback()) {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
