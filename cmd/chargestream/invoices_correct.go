package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/documents"
)

// correctFlags are the quantities that correct sets.
type correctFlags struct {
	energy                   int64
	energySet                bool
	energyKWh                string
	start, end, user, tariff string
}

func (a *app) correctCommand() *cobra.Command {
	var f decisionFlags
	var c correctFlags
	cmd := &cobra.Command{
		Use:   "correct SESSION",
		Short: "Bill other quantities than the station reported",
		Long: "Bill other quantities than the station reported, with the same tariff if --tariff " +
			"is not given. What is corrected is in doubt no longer; where an end is set and " +
			"the energy is not known, --energy-wh is needed too. The old and the new amount " +
			"are said first, with --dry-run too. What is implausible for the duration and the " +
			"rating of the connector, or changes the amount by more than --max-change, is " +
			"refused without --force.",
		Example: `chargestream invoices correct s-1 --brokers localhost:9092 --by Ada ` +
			`--reason read-from-the-display --energy-kwh 6.99 --wait
chargestream invoices correct s-1 --brokers localhost:9092 --by Ada --reason no-stop-came ` +
			`--end 2026-03-02T15:58:00Z --energy-wh 6990`,
		Args: oneArg("the id of a session"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.energySet = cmd.Flags().Changed("energy-wh")
			correction, err := c.correction()
			if err != nil {
				return err
			}
			return a.decide(cmd.Context(), args[0], &f, func(live *chargestream.Invoice) (
				chargestream.Decision, []string, error) {
				return correct(live, correction)
			})
		},
	}
	f.flags(cmd)
	flags := cmd.Flags()
	flags.Int64Var(&c.energy, "energy-wh", 0, "the energy in `Wh`")
	flags.StringVar(&c.energyKWh, "energy-kwh", "", "the energy in `kWh`, such as 6.99")
	flags.BoolVar(&f.force, "force", false, "also what is implausible, or changes much")
	flags.Int64Var(&f.maxChange, "max-change", changeDefault,
		"by how many `percent` the amount may change without --force")
	flags.StringVar(&c.start, "start", "", "the `time` of the start, RFC 3339")
	flags.StringVar(&c.end, "end", "", "the `time` of the end, RFC 3339")
	flags.StringVar(&c.user, "user", "", "the `id` of who pays")
	flags.StringVar(&c.tariff, "tariff", "", "the `id` of the tariff")
	return cmd
}

func (c *correctFlags) correction() (chargestream.Correction, error) {
	set := chargestream.Correction{UserID: chargestream.UserID(c.user),
		TariffID: chargestream.TariffID(c.tariff)}
	for _, field := range []struct {
		flag, text string
		into       *chargestream.Millis
	}{{"--start", c.start, &set.StartTime}, {"--end", c.end, &set.EndTime}} {
		if err := field.into.UnmarshalText([]byte(field.text)); err != nil {
			return set, usageError(field.flag+": "+err.Error(), "write 2026-03-02T15:58:00Z")
		}
	}
	if c.energySet {
		energy := chargestream.WattHours(c.energy)
		set.Energy = &energy
	}
	if c.energyKWh != "" {
		const thousandths = 3 // of a kWh are Wh
		energy, err := codecs.ParseScaled(c.energyKWh, thousandths)
		switch {
		case err != nil:
			return set, usageError(fmt.Sprintf("--energy-kwh %q: %v", c.energyKWh, err),
				"write 6.99")
		case c.energySet:
			return set, usageError("--energy-wh and --energy-kwh set the same", "give one of them")
		}
		exact := chargestream.WattHours(energy)
		set.Energy = &exact
	}
	if set == (chargestream.Correction{}) {
		return set, usageError("nothing is corrected",
			"set at least one of --energy-kwh, --energy-wh, --start, --end, --user and --tariff")
	}
	return set, nil
}

func correct(live *chargestream.Invoice, c chargestream.Correction) (
	chargestream.Decision, []string, error) {
	d := chargestream.Decision{Action: chargestream.ActionCorrect, Correction: c}
	start, end := live.StartTime, live.EndTime
	if c.StartTime != 0 {
		start = c.StartTime
	}
	if c.EndTime != 0 {
		end = c.EndTime
	}
	if start != 0 && end != 0 && end <= start {
		return d, nil, refused(live, "set both --start and --end",
			"it would end at %s, not after its start at %s", end, start)
	}
	notes := []string{"what is not named stays as the station reported it"}
	unknown := []chargestream.HoldReason{chargestream.HoldNotEnded, chargestream.HoldNoEnergy}
	if c.Energy == nil && slices.ContainsFunc(live.HoldReasons,
		func(r chargestream.HoldReason) bool { return slices.Contains(unknown, r) }) {
		notes = append(notes, "where the energy is not known the bill stays held as no_energy: "+
			"give --energy-wh too")
	}
	return d, notes, nil
}

// repriceable are the holds that another tariff, or another entry of the registry, may end.
func repriceable() []chargestream.HoldReason {
	return []chargestream.HoldReason{chargestream.HoldNoTariff, chargestream.HoldTariffUnsupported,
		chargestream.HoldVATUnknown}
}

func (a *app) repriceCommand() *cobra.Command {
	var f decisionFlags
	var allHeld string
	cmd := &cobra.Command{
		Use:   "reprice SESSION",
		Short: "Bill a session by the tariff as it is known now",
		Long: "Bill a session by the registry and the tariff as they are known when the decision " +
			"is read, in place of those that its bill is sealed with. With --all-held it is done " +
			"for every session that is held for that reason.",
		Example: `chargestream invoices reprice s-1 --brokers localhost:9092 --by Ada ` +
			`--reason tariff-was-wrong
chargestream invoices reprice --all-held no_tariff --brokers localhost:9092 --by Ada ` +
			`--reason tariff-was-missing`,
		Args: func(cmd *cobra.Command, args []string) error {
			if allHeld != "" {
				return noArgs(cmd, args)
			}
			return oneArg("the id of a session, or none with --all-held")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if allHeld != "" {
				return a.repriceAll(cmd.Context(), chargestream.HoldReason(allHeld), &f)
			}
			return a.decide(cmd.Context(), args[0], &f, reprice)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&allHeld, "all-held", "", "every session held for this `reason`: "+
		joinReasons(repriceable()))
	return cmd
}

// repriceNote says what reprice does not.
const repriceNote = "quantities are not changed, and a tariff that is still missing holds the " +
	"bill again"

func reprice(*chargestream.Invoice) (chargestream.Decision, []string, error) {
	return chargestream.Decision{Action: chargestream.ActionReprice}, []string{repriceNote}, nil
}

// repriceAll writes a decision for every session whose live document is held for a reason.
func (a *app) repriceAll(ctx context.Context, r chargestream.HoldReason, f *decisionFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if !slices.Contains(repriceable(), r) {
		return usageError(fmt.Sprintf("--all-held %q is none of %s", r, joinReasons(repriceable())),
			"a price is not what holds the others")
	}
	if f.id != "" {
		return usageError("--decision-id names one decision, and --all-held makes many", "")
	}
	h, err := a.readInvoices(ctx, func(*chargestream.Invoice) bool { return true })
	if err != nil {
		return err
	}
	a.warn(h)
	now := chargestream.MillisOf(time.Now())
	var records []*kgo.Record
	for _, v := range documents.Live(h.documents) {
		if v.Kind != chargestream.KindInvoice || !slices.Contains(v.HoldReasons, r) {
			continue
		}
		d := chargestream.Decision{Action: chargestream.ActionReprice}
		record, err := f.encode(&d, &v, now)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	notes := []string{fmt.Sprintf("%d sessions are held as %s", len(records), r), repriceNote}
	return a.writeDecisions(ctx, f, records, newDecisionAnswer(f, notes))
}
