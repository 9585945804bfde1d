package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"chargestream/documents"
)

// sellerFlags adds the flags that say who bills.
func sellerFlags(cmd *cobra.Command, s *documents.Seller) {
	flags := cmd.Flags()
	flags.StringVar(&s.Name, "seller-name", "", "`name` of who bills")
	flags.StringVar(&s.Street, "seller-street", "", "`street` and number of who bills")
	flags.StringVar(&s.City, "seller-city", "", "`city` of who bills")
	flags.StringVar(&s.PostalCode, "seller-postal-code", "", "postal `code` of who bills")
	flags.StringVar(&s.Country, "seller-country", "",
		"`country` of who bills, two letters of ISO 3166-1, such as FR")
	flags.StringVar(&s.VATID, "seller-vat-id", "",
		"VAT `id` of who bills, with its country, such as DE123456789")
	flags.StringVar(&s.Email, "seller-email", "", "`address` for questions about bills")
}

// needSeller refuses a seller of whom no e-invoice can be made: EN 16931 asks for name, country and
// VAT id.
func needSeller(s *documents.Seller) error {
	var missing []string
	for _, field := range []struct{ flag, text string }{{"--seller-name", s.Name},
		{"--seller-country", s.Country}, {"--seller-vat-id", s.VATID}} {
		if strings.TrimSpace(field.text) == "" {
			missing = append(missing, field.flag)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return usageError("an e-invoice says who bills: "+strings.Join(missing, ", ")+" is missing",
		"set it by flag, by environment as "+envName("seller-name")+", or in the file of --config")
}

// noteSeller warns that documents do not name who bills. They are made nevertheless, to be read.
func (a *app) noteSeller(s *documents.Seller) {
	if strings.TrimSpace(s.Name) == "" {
		fmt.Fprintln(a.stderr, "note: the documents do not say who bills; set --seller-name "+
			"and the other --seller flags before they are sent to anybody")
	}
}
