//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"chargestream/benchmarks/internal/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// command runs the command that the first argument names.
func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: peers run|load|table|capacity [flags] [arguments]")
	}
	flags := flag.NewFlagSet("peers "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "run":
		return runCommand(ctx, flags, args[1:], out)
	case "load":
		return loadCommand(ctx, flags, args[1:], out)
	case "table":
		return printCommand(flags, args[1:], out, func(lines []Line, _ string) (string, error) {
			return table(lines), nil
		})
	case "capacity":
		return printCommand(flags, args[1:], out, capacityPage)
	case stockGokaCommand:
		return stockGokaMain(ctx, flags, args[1:], out)
	}
	return fmt.Errorf("there is no command %q, only run, load, table and capacity", args[0])
}

// runCommand measures.
func runCommand(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	b := &bench{out: out}
	partitions := flags.String("partitions", "1,4,16,64", "numbers of partitions of the load depot")
	peers := flags.String("peers", "", "programs to measure, parted by commas; all if empty")
	share := flags.Float64("scale", 1, "share of the stations of each load, to try it out")
	rates := flags.String("rates", "1000,5000,20000,50000", "events a second of the load latency")
	flags.DurationVar(&b.hold, "hold", 20*time.Second, "how long each of these rates is measured")
	flags.DurationVar(&b.warm, "warm", 3*time.Second, "how long each rate is kept before that")
	flags.IntVar(&b.outageRate, "outage-rate", 20_000, "events a second of the load outage")
	flags.DurationVar(&b.outageSpan, "outage", 10*time.Minute, "how long no instance runs in it")
	flags.StringVar(&b.marks, "marks", "", "the program that measures the load restore")
	flags.Int64Var(&b.rows, "rows", 2_000_000, "rows of the load restore")
	flags.Uint64Var(&b.seed, "seed", 1, "seed of the loads")
	flags.IntVar(&b.repeat, "repeat", 3, "how often each load but latency is measured")
	flags.StringVar(&b.chargestream, "chargestream", "bin/chargestream", "the binary")
	flags.StringVar(&b.twinClasses, "twin", "bin/twin", "folder of the twin's classes")
	flags.StringVar(&b.twinJars, "twin-jars", "", "folder of the twin's jars")
	flags.StringVar(&b.twinFlags, "twin-flags", twinFlagsDefault, "flags of the twin's Java")
	flags.StringVar(&b.results, "results", "", "file that raw results are added to; none if empty")
	scratch := flags.String("scratch", "", "folder for data; the system's if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	depot, err := numbers[int32](*partitions)
	if err != nil {
		return fmt.Errorf("-partitions: %w", err)
	}
	if b.repeat < 1 {
		return fmt.Errorf("-repeat %d is below 1", b.repeat)
	}
	if b.rates, err = numbers[int](*rates); err != nil {
		return fmt.Errorf("-rates: %w", err)
	}
	loads, err := choose(catalog(depot), flags.Args())
	if err != nil {
		return err
	}
	for i := range loads {
		loads[i] = loads[i].scaled(*share)
		if *peers != "" {
			loads[i].peers = slices.DeleteFunc(loads[i].peers, func(name string) bool {
				return !slices.Contains(strings.Split(*peers, ","), name)
			})
		}
	}
	err = b.inScratch(*scratch, func() error { return b.measure(ctx, loads) })
	_, printErr := fmt.Fprint(out, "\n", table(b.lines))
	return errors.Join(err, printErr)
}

// loadCommand writes a load to the input topics of a broker, which must exist.
func loadCommand(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	broker := flags.String("brokers", "localhost:9092", "address of a broker")
	seed := flags.Uint64("seed", 1, "seed of the load")
	share := flags.Float64("scale", 1, "share of the stations of the load")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: peers load [flags] LOAD")
	}
	loads, err := choose(catalog(nil), flags.Args())
	if err != nil {
		return err
	}
	totals, err := fill(ctx, *broker, loads[0].scaled(*share).workload, *seed)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%+v\n", totals)
	return nil
}

// printCommand prints what is made of raw results.
func printCommand(flags *flag.FlagSet, args []string, out io.Writer,
	of func(lines []Line, name string) (string, error)) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("usage: %s FILE", flags.Name())
	}
	lines, err := readLines(flags.Arg(0))
	if err != nil {
		return err
	}
	text, err := of(lines, flags.Arg(0))
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}

// numbers reads whole numbers above zero that are parted by commas.
func numbers[N int | int32](text string) ([]N, error) {
	var list []N
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no number: %w", word, err)
		}
		if n < 1 {
			return nil, fmt.Errorf("%d is below 1", n)
		}
		list = append(list, N(n))
	}
	return list, nil
}

// inScratch runs do with a folder for data, which it removes again.
func (b *bench) inScratch(within string, do func() error) (err error) {
	if b.dir, err = os.MkdirTemp(within, "chargestream-peers-"); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	m := harness.ThisMachine()
	fmt.Fprintln(b.out, m)
	if err := b.keep(Line{Machine: &m}); err != nil {
		return err
	}
	return do()
}
