//go:build faults

package e2e_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine"
	"chargestream/internal/e2e"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

const (
	// adminLimit bounds a fault that asks the broker for something.
	adminLimit = 30 * time.Second
	// markerFits is a size, in bytes, that a batch of records exceeds and the marker of a
	// transaction does not: a coordinator that cannot write its marker tries no more.
	markerFits = "120"
	// endWait is how long an instance that ends by itself takes for it.
	endWait = 5 * time.Second
)

// child is an instance in a process of its own.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
	err   error         // how; read only after that
}

// start starts an instance that reaches the broker through the proxy only.
func (f *faults) start(dir string) { f.startOn(dir, "") }

// startOn starts an instance with a disk that may fail.
func (f *faults) startOn(dir, disk string) {
	spec := instanceSpec{brokers: f.proxies.Addrs(), dir: dir, guarantee: engine.ExactlyOnce,
		session: sessionTimeout(f.b), audited: true, standby: f.standby, disk: disk}
	if f.said != nil {
		spec.log = f.said.by()
	}
	c := &child{ended: make(chan struct{}), cmd: startInstance(f.t, spec)}
	f.running[dir] = c
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
}

// signal sends a signal to an instance, which must not have ended by itself.
func (f *faults) signal(dir string, sig syscall.Signal) {
	if err := f.running[dir].cmd.Process.Signal(sig); err != nil {
		f.t.Errorf("instance %s: %v", filepath.Base(dir), err)
	}
}

func (f *faults) stop(dir string) {
	c := f.running[dir]
	f.signal(dir, syscall.SIGTERM)
	delete(f.running, dir)
	<-c.ended
	if c.err != nil {
		f.t.Errorf("instance %s: %v", filepath.Base(dir), c.err)
	}
}

// killAll ends what a failed run has left.
func (f *faults) killAll() {
	for dir, c := range f.running {
		f.signal(dir, syscall.SIGKILL)
		<-c.ended
	}
}

// any is one of the running instances.
func (f *faults) any() string {
	dirs := []string{}
	for dir := range f.running {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return dirs[f.rng.IntN(len(dirs))]
}

func (f *faults) kill(loseDisk bool) {
	dir := f.any()
	c := f.running[dir]
	f.signal(dir, syscall.SIGKILL)
	<-c.ended
	if c.err == nil || !strings.Contains(c.err.Error(), "killed") {
		f.t.Errorf("instance %s was not killed: %v", filepath.Base(dir), c.err)
	}
	name := "kill, disk kept"
	if loseDisk {
		name = "kill, disk lost"
		if err := os.RemoveAll(dir); err != nil {
			f.t.Error(err)
		}
	}
	f.note(name, filepath.Base(dir))
	f.start(dir)
}

// freeze stops an instance for longer than its session, and lets it go on as a zombie.
func (f *faults) freeze() {
	dir := f.any()
	f.note("freeze", filepath.Base(dir))
	f.signal(dir, syscall.SIGSTOP)
	<-time.After(sessionTimeout(f.b) + 4*time.Second)
	f.signal(dir, syscall.SIGCONT)
}

func (f *faults) restartBroker() {
	f.note("broker stopped", "")
	if err := f.b.Stop(); err != nil {
		f.t.Error(err)
	}
	if err := f.b.Restart(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *faults) killBroker() {
	f.note("broker killed", "")
	if err := f.b.Kill(); err != nil {
		f.t.Error(err)
	}
	if err := f.b.Restart(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *faults) joinAndLeave(dir string) {
	f.note("join and leave", filepath.Base(dir))
	f.start(dir)
	f.pause()
	f.pause()
	f.stop(dir)
}

// cut resets all connections of the instances, several times, and then lets no new one live for a
// while.
func (f *faults) cut() {
	total := 0
	for range 3 {
		total += f.proxies.Cut()
		<-time.After(time.Duration(f.rng.IntN(500)) * time.Millisecond)
	}
	f.note("connections cut", strconv.Itoa(total))
	f.pause()
	f.note("connections refused", "")
	f.proxies.Refuse(true)
	<-time.After(f.between())
	f.proxies.Refuse(false)
}

// stall lets nothing pass for a while.
func (f *faults) stall() {
	f.note("connections stalled", "")
	f.proxies.Stall(true)
	<-time.After(f.between())
	f.proxies.Stall(false)
}

// refuseWrites answers writes, outputs and changelogs, as a broker does that leads no more.
func (f *faults) refuseWrites() {
	f.failWrites("produce error, refused", kafkatest.ProduceFault{Err: kerr.NotLeaderForPartition})
}

// loseAnswers answers writes that were done as if they had taken too long.
func (f *faults) loseAnswers() {
	f.failWrites("produce error, applied",
		kafkatest.ProduceFault{Err: kerr.RequestTimedOut, Applied: true})
}

// failWrites answers writes with an error for a while, and until it has hit one: after a kill
// nothing may be written for as long as a session lasts.
func (f *faults) failWrites(name string, fault kafkatest.ProduceFault) {
	fails := f.proxies.FailProduce(fault)
	<-time.After(f.between())
	f.until(name, func() bool { return fails.Hits() > 0 })
	fails.End()
	f.note(name, strconv.Itoa(fails.Hits()))
}

// until waits for something that a fault needs; without it the fault would be none.
func (f *faults) until(what string, cond func() bool) {
	deadline := time.Now().Add(adminLimit)
	for !cond() {
		if time.Now().After(deadline) {
			f.t.Errorf("%s: nothing to hit for %v", what, adminLimit)
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

// admin asks the broker for something, straight.
func (f *faults) admin(do func(ctx context.Context, client *kgo.Client) error, opts ...kgo.Opt) {
	ctx, cancel := context.WithTimeout(f.t.Context(), adminLimit)
	defer cancel()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(f.b.Addrs()...))...)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer client.Close()
	if err := do(ctx, client); err != nil {
		f.t.Error(err)
	}
}

// fence takes the transactional id of a running transaction away from its producer, so that the
// coordinator and the leaders refuse its writes and its commit.
func (f *faults) fence() {
	var ids []string
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		var err error
		f.until("fence", func() bool {
			var listed kadm.ListedTransactions
			listed, err = kadm.NewClient(client).ListTransactions(ctx, nil, []string{"Ongoing"})
			ids = listed.TransactionalIDs()
			return err != nil || len(ids) > 0
		})
		return err
	})
	if len(ids) == 0 {
		return
	}
	id := ids[f.rng.IntN(len(ids))]
	f.note("producer fenced", id)
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		_, _, err := client.ProducerID(ctx)
		return err
	}, kgo.TransactionalID(id))
}

// expel takes a member out of its group, which it learns from the coordinator's next answer.
func (f *faults) expel() {
	groups := []string{topics.GroupTariffs, topics.GroupStations, e2e.CountGroup}
	group := groups[f.rng.IntN(len(groups))]
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		var members []kadm.DescribedGroupMember
		var err error
		f.until("expel", func() bool {
			var described kadm.DescribedGroups
			described, err = kadm.NewClient(client).DescribeGroups(ctx, group)
			members = described[group].Members
			return err != nil || len(members) > 0
		})
		if err != nil || len(members) == 0 {
			return err
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = group
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = members[f.rng.IntN(len(members))].MemberID
		leave.Members = append(leave.Members, member)
		f.note("member expelled", group)
		_, err = leave.RequestWith(ctx, client)
		return err
	})
}

// endAttempts answers writes with an error that ends what the instances are at.
func (f *faults) endAttempts() {
	f.failWrites("produce error, epoch", kafkatest.ProduceFault{Err: kerr.InvalidProducerEpoch})
}

// tooLarge makes the broker refuse all writes to some outputs and a changelog, until an operator
// mends that. A restart does not, so an instance may end by itself, and is started again then.
func (f *faults) tooLarge() {
	names := []string{topics.Utilization, topics.Table(topics.TableHours), e2e.CountOutput}
	set := func(op kadm.IncrementalOp, value *string) {
		f.admin(func(ctx context.Context, client *kgo.Client) error {
			altered, err := kadm.NewClient(client).AlterTopicConfigs(ctx, []kadm.AlterConfig{
				{Op: op, Name: "max.message.bytes", Value: value}}, names...)
			for _, a := range altered {
				err = errors.Join(err, a.Err)
			}
			return err
		})
	}
	set(kadm.SetConfig, kmsg.StringPtr(markerFits))
	<-time.After(f.between())
	set(kadm.DeleteConfig, nil)
	ended := 0
	for _, dir := range slices.Sorted(maps.Keys(f.running)) {
		c := f.running[dir]
		select {
		case <-c.ended:
			ended++
			f.start(dir)
		case <-time.After(endWait):
		}
	}
	f.note("produce error, too large", strconv.Itoa(ended)+" instances ended")
}
